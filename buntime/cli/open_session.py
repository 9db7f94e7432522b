"""The session that a command works in."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager

from buntime.cli.connection import refuse_local
from buntime.cli.run import TTL
from buntime.client.client import Buntime
from buntime.client.session import Session


def add_session_option(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """Add ``--session``."""
    rule = "BUNTIME_SESSION by default" if required else "a new one by default"
    parser.add_argument("--session", metavar="ID", help=f"the session; {rule}")


@contextmanager
def open_session(options: argparse.Namespace, new: bool = False) -> Iterator[Session]:
    """Yield the session of the options, else a ``new`` one, which is deleted at the end of the block."""
    name = options.session or os.environ.get("BUNTIME_SESSION", "")
    with Buntime() as client:
        if name:
            refuse_local(" (--session or BUNTIME_SESSION names one)")
            yield client.sessions.attach(name)
        elif new:
            with client.sessions.create(ttl=TTL) as session:
                yield session
        else:
            options.parser.error("name a session with --session ID, or set BUNTIME_SESSION")
