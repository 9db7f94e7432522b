"""After a callback had failed, a thread went on reading the streams of a command until it ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Optional

import pytest

from buntime.errors import APITimeoutError
from buntime.transport import Request, Response
from tests.runloop.client.stub import Stub, as_json
from tests.support.threads import started_since


def test_threads_end_with_the_call() -> None:
    """A stream that stays silent is not opened again when the call has ended."""
    is_silent = threading.Event()

    def silence() -> Iterator[bytes]:
        yield b": a comment\n\n"
        is_silent.set()
        time.sleep(0.01)
        raise APITimeoutError("no response in time", phase="read")

    def output() -> Iterator[bytes]:
        assert is_silent.wait(30)
        yield b'data: {"output": "x", "offset": 0}\n\n'

    def respond(request: Request) -> Optional[Response]:
        if request.path.endswith("_updates"):
            return Response(200, {}, output() if "stdout" in request.path else silence())
        return as_json({"devbox_id": "dbx_1", "execution_id": "exc_1", "status": "running"})

    def fail(_text: str) -> None:
        raise ZeroDivisionError

    before = threading.enumerate()
    with Stub(respond=respond).client() as runloop, pytest.raises(ZeroDivisionError):
        runloop.devbox.from_id("dbx_1").cmd.exec("sleep 1000", stdout=fail, stderr=print)
    ends = time.monotonic() + 30
    while started_since(before) and time.monotonic() < ends:
        time.sleep(0.01)
    assert [] == started_since(before)
