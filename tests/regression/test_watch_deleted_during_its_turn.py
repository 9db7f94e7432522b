"""A watch that was deleted, as ``close`` does, while a turn began raised an error of a missing file."""

from __future__ import annotations

import sys
import threading

import pytest

from buntime import Buntime, ConflictError
from buntime.transport import LocalTransport

# The state of the watch is a pipe, so that it is deleted between two accesses of the turn.
BEFORE = "cd .buntime/watches; mv 1 state; mkfifo 1"
DURING = "cd .buntime/watches; exec 3>1; rm 1; cat state >&3; rm state"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")


def test_the_watch_has_ended() -> None:
    """It is reported as a deleted watch, which ends the loop of one that is closed."""
    with Buntime(transport=LocalTransport(), max_retries=0) as client:
        session = client.sessions.create()
        watch = session.files.watch()
        session.execute(command=BEFORE, check=True)
        thread = threading.Thread(target=session.execute, kwargs={"command": DURING, "check": True})
        thread.start()
        with pytest.raises(ConflictError, match="the watch 1 was deleted in the session"):
            next(watch)
        thread.join(15)
        assert not thread.is_alive()
