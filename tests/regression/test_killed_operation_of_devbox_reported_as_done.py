"""A file of a session over a devbox counted as written although the program that writes it was killed."""

from __future__ import annotations

import re
from typing import Any, Callable

import pytest

from buntime import InvalidResponseError, Session
from buntime.runloop import RunloopSDK
from buntime.runloop.session_requests import PREPARE, WORKSPACE
from buntime.transport import FakeTransport, ScriptedResult
from tests.support.cases import in_one_test

_OPERATIONS: dict[str, Callable[[Session], Any]] = {
    "write": lambda session: session.files.write("a", "text"),
    "list": lambda session: session.files.list(),
    "kill": lambda session: session.kill_all(),
    "info": lambda session: session.info(),
}


@in_one_test("name", _OPERATIONS)
def test_an_operation_without_an_outcome(name: str) -> None:
    """It is an error with the exit code and the end of the output."""
    fake = FakeTransport()
    fake.on_execute(command=PREPARE % WORKSPACE, stdout="/usr/bin/bun\n")
    killed = ScriptedResult(stderr="out of memory\n", exit_code=137)
    fake.on_execute(command=re.compile("run-"), results=[killed])
    with RunloopSDK(transport=fake, max_retries=0) as runloop:
        session = runloop.devbox.create().as_session()
        with pytest.raises(InvalidResponseError, match=r"exit code 137.*out of memory"):
            _OPERATIONS[name](session)


@in_one_test("outcome", ['{"pids": 7}', '{"pids": ["1"]}', "{}"])
def test_a_malformed_outcome(outcome: str) -> None:
    """It is an invalid response, not a built-in error."""
    fake = FakeTransport()
    fake.on_execute(command=PREPARE % WORKSPACE, stdout="/usr/bin/bun\n")
    ended = ScriptedResult(stderr=f"\x1ebuntime:end {outcome}\n")
    fake.on_execute(command=re.compile("run-"), results=[ended])
    with RunloopSDK(transport=fake, max_retries=0) as runloop:
        session = runloop.devbox.create().as_session()
        with pytest.raises(InvalidResponseError, match="has no list of"):
            session.kill_all()
