"""The arguments of a fake are checked when they are passed, not when a request arrives."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import Buntime, ServerError
from buntime.transport import FakeTransport, ScriptedResult
from tests.support.cases import in_one_test


@in_one_test(
    ("arguments", "named"),
    [
        ({"stdout": b"x"}, "stdout"),
        ({"stderr": None}, "stderr"),
        ({"exit_code": "1"}, "exit_code"),
        ({"execution_time": "a"}, "execution_time"),
        ({"files": {"a": b"x"}}, "str"),
        ({"chunks": [("out", "x")]}, "chunks"),
        ({"chunks": ["ab"]}, "chunks"),
        ({"handler": 3}, "handler"),
        ({"results": ["a"]}, "results"),
        ({"results": ScriptedResult()}, "results"),
    ],
)
def test_an_invalid_result(arguments: dict[str, Any], named: str) -> None:
    """The error names the argument of a wrong result."""
    with pytest.raises(TypeError, match=named):
        FakeTransport().on_execute("1", **arguments)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"code": b"x"}, "code"),
        ({"code": 5}, "code"),
        ({"contains": 5}, "contains"),
        ({"command": 5}, "command"),
    ],
)
def test_an_invalid_match(arguments: dict[str, Any], named: str) -> None:
    """The error names the argument that no execution could match."""
    with pytest.raises(TypeError, match=named):
        FakeTransport().on_execute(**arguments)


@in_one_test("call", ["nonsense", "POST /exec", "GET /execute", "/execute", ""])
def test_an_invalid_call(call: str) -> None:
    """A planned failure of it would never happen, and the test would pass without it."""
    with pytest.raises(ValueError, match="not a call of the API"):
        FakeTransport().fail_next(503, call=call)


@pytest.mark.parametrize("call", ["POST /execute", "GET /sessions/ses_1", "DELETE /sessions/ses_1", None])
def test_a_valid_call(call: str | None) -> None:
    """Calls of the API, and any."""
    fake = FakeTransport()
    fake.fail_next(503, call=call)
    method, path = (call or "GET /execute").split()
    with Buntime(transport=fake, max_retries=0) as client, pytest.raises(ServerError):
        client.request(method, path)


@pytest.mark.parametrize("times", [0, -1, 1.5, True])
def test_an_invalid_number_of_failures(times: Any) -> None:
    """At least one call must fail."""
    with pytest.raises((TypeError, ValueError), match="times"):
        FakeTransport().fail_next(503, times=times)


@pytest.mark.parametrize("failure", [None, True, 5.0])
def test_an_invalid_failure(failure: Any) -> None:
    """It must be a status or a name."""
    with pytest.raises(TypeError, match="failure"):
        FakeTransport().fail_next(failure)
