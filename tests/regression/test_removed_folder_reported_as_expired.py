"""A session was reported as expired if a cleaner of temporary files had removed its folder."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime, Session, SessionNotFoundError
from buntime.transport import LocalTransport

CALLS: dict[str, Callable[[Session], object]] = {
    "execute": lambda session: session.execute("1"),
    "execute with files": lambda session: session.execute("1", files={"a": "b"}),
    "write": lambda session: session.files.write("a", "b"),
    "list": lambda session: session.files.list(),
    "info": lambda session: session.info(),
}


@pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")
@pytest.mark.parametrize("ran", [False, True])
@pytest.mark.parametrize("call", CALLS)
def test_the_cause_is_named(tmp_path: Path, call: str, ran: bool) -> None:
    """Every call reports the cause, whether or not the session has run something."""
    transport = LocalTransport(isolation="none", root=tmp_path)
    with Buntime(transport=transport, max_retries=0) as client:
        session = client.sessions.create()
        if ran:
            session.execute("1", check=True)
        for folder in tmp_path.glob("sessions/*"):
            shutil.rmtree(folder)

        with pytest.raises(SessionNotFoundError, match="another program removed its folder"):
            CALLS[call](session)
