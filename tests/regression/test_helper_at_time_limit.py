"""A helper that reached its time limit was reported as an invalid response."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from buntime import Buntime, ExecutionTimeoutError, Session
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always

CALLS: dict[str, Callable[[Session], object]] = {
    "stat": lambda session: session.files.stat("a.txt"),
    "read_bytes": lambda session: session.files.read_bytes("a.txt"),
    "write": lambda session: session.files.write("a.bin", b"\xff"),
    "list": lambda session: session.files.list(recursive=True),
    "download": lambda session: session.files.download("a", Path("never-written")),
    "start": lambda session: session.start("1"),
    "processes": lambda session: session.processes(),
    "wait_for_port": lambda session: session.wait_for_port(80, timeout=1),
    "call": lambda session: session.call("() => 1"),
}


@in_one_test("name", CALLS)
def test_every_helper_raises_the_error_of_the_time_limit(name: str) -> None:
    """It has the result of the execution."""
    result = responses.result(stdout="", stderr="", exitCode=124, timedOut=True)
    session = Buntime(transport=ScriptedTransport(always(responses.as_json, result))).sessions.attach("ses_1")
    with pytest.raises(ExecutionTimeoutError, match="time limit") as caught:
        CALLS[name](session)
    assert caught.value.result is not None
    assert 124 == caught.value.result.exit_code
