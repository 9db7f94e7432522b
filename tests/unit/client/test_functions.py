"""The request of a function call and the decoding of its outcome."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import (
    Buntime,
    ExecutionFailedError,
    ExecutionTimeoutError,
    InvalidResponseError,
    JavaScriptError,
    Session,
)
from buntime.client.replies import ReplySeparator
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, Step, always, lost

_MARK = "\x1ebuntime:call "


def _record(outcome: object) -> str:
    return f"{_MARK}{json.dumps(outcome, separators=(',', ':'))}\n"


def _prints(stdout: str, **fields: object) -> Step:
    return always(responses.as_json, responses.result(stdout=stdout, **fields))


def _session(*steps: Step, **options: Any) -> tuple[Session, ScriptedTransport]:
    transport = ScriptedTransport(*steps)
    return Buntime(transport=transport, **options).sessions.attach("ses_1"), transport


@given(
    before=st.text(),
    after=st.text(),
    value=st.text(max_size=5),
    cuts=st.lists(st.integers(0, 80), max_size=6),
)
def test_the_outcome_is_separated_from_output_in_any_chunks(
    before: str, after: str, value: str, cuts: list[int]
) -> None:
    """All other output is unchanged."""
    text = before + _record({"value": value}) + after
    points = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    separator = ReplySeparator()
    outputs = [separator.feed(text[start:end]) for start, end in zip(points, points[1:])]
    if _MARK not in before + after:
        assert before + after == "".join(outputs) + separator.pending()
        assert separator.reply is not None
        assert {"value": value} == json.loads(separator.reply)


def test_output_is_not_held_back() -> None:
    """Only the possible start of an outcome is held back."""
    separator = ReplySeparator()
    assert "abc\n" == separator.feed("abc\n")
    assert "d" == separator.feed("d\x1ebun")
    assert "\x1ebunny" == separator.feed("ny")
    assert (None, "") == (separator.reply, separator.pending())


def test_the_request_is_the_same_each_time() -> None:
    """The request has no random part, so its recording can be replayed."""
    session, transport = _session(_prints(_record({"value": 1})))
    for _ in range(2):
        assert 1 == session.call("() => 1", "x" * 20_000)
    assert transport.requests[0].body == transport.requests[1].body
    assert [".buntime/calls/"] == [file["path"][:15] for file in transport.body()["files"]]


def test_a_small_call_fits_in_one_line_of_code() -> None:
    """Its first line has the function and the arguments."""
    session, transport = _session(_prints(_record({"value": 5})))
    session.call(" (a, b) => a + b; ", 2, {"__proto__": 1}, timeout=7)
    body = transport.body()
    line = json.loads(body["code"].partition("\n")[0].removeprefix("// buntime:helper "))
    payload = {"source": " (a, b) => a + b", "arguments": [2, {"__proto__": 1}]}
    assert ("call", payload) == (line["op"], json.loads(line["payload"]))
    assert (7, "ses_1", False) == (body["timeout"], body["sessionId"], "files" in body)


def test_a_call_is_not_repeated() -> None:
    """A function may have run; ``idempotent`` allows a second run."""
    session, transport = _session(lost("read"), _prints(_record({"value": 1})), retry_delay=0)
    with pytest.raises(Exception, match="lost") as caught:
        session.call("() => 1")
    assert getattr(caught.value, "maybe_executed", False)
    session, transport = _session(lost("read"), _prints(_record({"value": 1})), retry_delay=0)
    assert 1 == session.call("() => 1", idempotent=True)
    assert 2 == len(transport.requests)


def test_arguments_removed_by_another_call_are_sent_again() -> None:
    """The function has not run in that case. The number of attempts is limited."""
    gone = _prints(_record({"gone": True}), exitCode=1)
    session, transport = _session(gone, _prints(_record({"value": 1})))
    assert 1 == session.call("(x) => 1", "x" * 20_000)
    assert 2 == len(transport.requests)
    session, transport = _session(gone)
    with pytest.raises(InvalidResponseError, match="did not have the arguments"):
        session.call("(x) => 1", "x" * 20_000)
    assert 5 == len(transport.requests)


@in_one_test(
    ("function", "error", "message"),
    [
        (7, TypeError, "function must be a str"),
        ("", ValueError, "function is empty"),
        ("  ", ValueError, "function is empty"),
        ("lib.ts#x", ValueError, r"'\./lib\.ts#x'"),
        ("src/lib.mjs", ValueError, r"'\./src/lib\.mjs'"),
        ("../lib.ts", ValueError, r"begins with '\./'"),
        (".hidden.ts", ValueError, r"begins with '\./'"),
        ("() => '\ud800'", ValueError, "lone surrogate"),
    ],
)
def test_an_invalid_function(function: Any, error: type[Exception], message: str) -> None:
    """It is rejected before a request is sent."""
    session, transport = _session(_prints(""))
    with pytest.raises(error, match=message):
        session.call(function)
    assert [] == transport.requests


@in_one_test(
    ("function", "file", "name"),
    [
        ("./lib.ts", "./lib.ts", "default"),
        ("./lib.ts#", "./lib.ts#", "default"),
        ("./lib.ts#a", "./lib.ts", "a"),
        ("./a#b.ts", "./a#b.ts", "default"),
        ("./a#b.ts#c", "./a#b.ts", "c"),
        ("/workspace/a b.ts#$c_1", "/workspace/a b.ts", "$c_1"),
    ],
)
def test_the_name_of_an_export(function: str, file: str, name: str) -> None:
    """The text after the last # is the export if it is a valid name."""
    session, transport = _session(_prints(_record({"value": 1})))
    session.call(function)
    line = json.loads(transport.body()["code"].partition("\n")[0].removeprefix("// buntime:helper "))
    assert {"file": file, "name": name, "arguments": []} == json.loads(line["payload"])


@pytest.mark.parametrize("name", ["on_stdout", "on_stderr"])
def test_a_callback_that_is_not_callable(name: str) -> None:
    """It is a TypeError before a request is sent."""
    session, transport = _session(_prints(""))
    options: dict[str, Any] = {name: "text"}
    for call in (session.call, session.execute):
        with pytest.raises(TypeError, match=name):
            call("() => 1", **options)
    assert [] == transport.requests


def test_a_call_without_an_outcome_raises_with_the_output() -> None:
    """The process exited, was killed, or reached its time limit."""
    for fields, kind, message in (
        ({"exitCode": 0}, ExecutionFailedError, "before the function returned"),
        ({"exitCode": 137, "stderr": "oh"}, ExecutionFailedError, "exit code 137"),
        ({"exitCode": 124, "timedOut": True}, ExecutionTimeoutError, "time limit"),
    ):
        session, _ = _session(_prints("printed", **fields))
        with pytest.raises(kind, match=message) as caught:
            session.call("() => 1")
        assert caught.value.result is not None
        assert "printed" == caught.value.result.stdout


@in_one_test(
    "record",
    [
        _MARK + "{cut\n",
        _MARK + "[1]\n",
        _MARK + "{}\n",
        _record({"value": {"$buntime": "new", "value": 1}}),
        _record({"value": {"$buntime": "bigint"}}),
        _record({"value": {"$buntime": "map", "value": [1]}}),
        _MARK + '{"value":' + "[" * 100_000 + "}\n",
    ],
)
def test_an_invalid_outcome(record: str) -> None:
    """It is an InvalidResponseError that shows its first characters."""
    session, _ = _session(_prints(record))
    with pytest.raises(InvalidResponseError) as caught:
        session.call("() => 1")
    assert len(str(caught.value)) < 1000


def test_an_error_has_the_stack_of_javascript() -> None:
    """The stack is in the message, and the output in the result."""
    stack = "TypeError: no\n    at f (function:1:2)"
    thrown = {"thrown": {"name": "TypeError", "message": "no", "stack": stack, "details": {"code": "E"}}}
    session, _ = _session(_prints("out" + _record(thrown), exitCode=1))
    with pytest.raises(JavaScriptError) as caught:
        session.call("f")
    assert f"JavaScript failed with {stack}" == str(caught.value)
    assert {"code": "E"} == caught.value.details
    assert caught.value.result is not None
    assert "out" == caught.value.result.stdout
