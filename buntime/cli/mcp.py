"""``buntime mcp``: the tools for agents as an MCP server."""

from __future__ import annotations

import argparse
import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from buntime._support.log import logger
from buntime.cli.connection import AddParser, add_connection
from buntime.client.client import Buntime
from buntime.client.keepalive import start_pinging
from buntime.client.session import Session
from buntime.errors import BuntimeError, ConfigurationError

if TYPE_CHECKING:
    from buntime.runloop import Devbox, RunloopSDK

_PING_INTERVAL = 60.0
_PING_TIMEOUT = 10.0


def add_mcp(add_parser: AddParser) -> None:
    """Add ``mcp`` to the command line."""
    parser = add_parser(
        "mcp",
        help="offer sandboxes to agents, as an MCP server",
        description="Offer tools that run programs in a sandbox, as an MCP server over standard input and "
        "output. Each conversation has its own session, which is deleted at its end.",
    )
    add_connection(parser)
    parser.add_argument("--http", type=_address, metavar="HOST:PORT", help="serve over HTTP on the loopback")
    parser.add_argument(
        "--runloop",
        action="store_const",
        dest="variable",
        const="RUNLOOP_TRANSPORT",
        help="use devboxes of Runloop instead of sessions; --transport is then RUNLOOP_TRANSPORT",
    )
    parser.set_defaults(action=_serve)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback or not port.isdecimal():
        # Other machines could run programs with the key of this account.
        raise argparse.ArgumentTypeError(f"{text!r} is not the loopback and a port, such as 127.0.0.1:8080")
    return host, int(port)


def _serve(options: argparse.Namespace) -> int:
    try:
        from buntime.tools.server import serve
    except ImportError as error:
        raise ConfigurationError(
            "buntime mcp needs Python 3.10 and the package mcp, from the extra mcp: "
            f'pip install "buntime[mcp]" ({error})'
        ) from None
    if options.variable == "RUNLOOP_TRANSPORT":
        from buntime.runloop import RunloopSDK

        with RunloopSDK() as runloop:
            serve(partial(_open_devbox, runloop), options.http, _print_url)
    else:
        with Buntime() as client:
            serve(partial(_open_session, client), options.http, _print_url)
    return 0


def _print_url(url: str) -> None:
    print(f"buntime serves MCP on {url} (Ctrl-C ends it)", file=sys.stderr, flush=True)


@contextmanager
def _open_session(client: Buntime) -> Iterator[Session]:
    with client.sessions.create() as session, session.stay_awake():
        yield session


@contextmanager
def _open_devbox(runloop: RunloopSDK) -> Iterator[Devbox]:
    with runloop.devbox.create() as devbox:

        def ping() -> bool:
            try:
                devbox.keep_alive(timeout=_PING_TIMEOUT)
            except BuntimeError as error:
                logger().warning("the devbox %s was not kept alive: %s", devbox.id, error)
            return True

        stop = start_pinging(ping, _PING_INTERVAL)
        try:
            yield devbox
        finally:
            stop()
