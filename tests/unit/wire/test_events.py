"""Decoding of stream events in every accepted form."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import buntime
from buntime import BuntimeError, ExecuteRequest, ExecuteResult, InvalidResponseError, StreamEvent
from buntime._support import sse
from buntime._support.collected_text import CollectedText
from buntime.cassette.body import event_bytes, join_outputs, serialize_events
from buntime.wire import requests
from buntime.wire.dialect import DIALECT
from buntime.wire.events import Terminal, decode_event, read_event
from tests.support.cases import in_one_test
from tests.support.responses import RESULT, error_body
from tests.support.results import result_or_error

_REQUEST = requests.execute(ExecuteRequest("1", session_id="ses_1"), stream=True)


def _decode(name: str, data: object) -> object:
    return decode_event(_REQUEST, name, data if isinstance(data, str) else json.dumps(data))


def _streamed(stdout: str, stderr: str) -> dict[str, CollectedText]:
    streamed = {"stdout": CollectedText(None), "stderr": CollectedText(None)}
    streamed["stdout"].add(stdout)
    streamed["stderr"].add(stderr)
    return streamed


def _result(name: str, data: object) -> ExecuteResult:
    item = _decode(name, data)
    assert isinstance(item, Terminal)
    return item.result(_streamed("out", "err"))


@in_one_test("key", ["text", "data", "chunk", "content", "output"])
@in_one_test("kind", ["stdout", "stderr"])
def test_text_has_many_names(key: str, kind: Any) -> None:
    """The name of the event is the kind of the output."""
    assert StreamEvent(kind, "hi\n") == _decode(kind, {key: "hi\n"})


@pytest.mark.parametrize("key", ["type", "event", "stream"])
def test_the_kind_may_be_in_the_data(key: str) -> None:
    """If the event has no name, the kind is read from its data."""
    assert StreamEvent("stderr", "hi") == _decode("", {key: "stderr", "text": "hi"})


@in_one_test("data", ["hi", "42", "null", "[1]", '"quoted"', "{cut", "[" * 100_000, ""])
def test_data_that_is_not_an_object_is_text(data: str) -> None:
    """A program may print anything, including numbers."""
    assert StreamEvent("stderr", data) == _decode("stderr", data)
    assert StreamEvent("stdout", data) == _decode("", data)


@in_one_test("data", [{}, {"time": 1}, {"text": 5}, {"type": "heartbeat"}])
def test_an_object_without_text_is_ignored(data: object) -> None:
    """Unknown events are ignored."""
    assert _decode("", data) is None


def test_the_kind_in_the_data_refines_a_general_name() -> None:
    """An event may have a general name and the exact kind in its data."""
    assert StreamEvent("stderr", "hi") == _decode("message", {"type": "stderr", "text": "hi"})
    assert StreamEvent("stderr", "hi") == _decode("output", {"stream": "stderr", "text": "hi"})
    assert StreamEvent("stderr", "hi") == _decode("", {"type": "output", "stream": "stderr", "data": "hi"})
    assert StreamEvent("stdout", "hi") == _decode("message", "hi")
    assert 3 == _result("message", {"type": "exit", "code": 3}).exit_code


@pytest.mark.parametrize("data", ["[DONE]", '{"total": 3}', "{}"])
def test_printed_json_stays_text(data: str) -> None:
    """Under the name of an output, data of unknown form is the output itself."""
    assert StreamEvent("stdout", data) == _decode("stdout", data)


def test_an_unknown_kind_is_passed_through() -> None:
    """A newer service may add channels."""
    kind: Any = "debug"
    assert StreamEvent(kind, "hi") == _decode(kind, {"text": "hi"})


def test_empty_text_is_text() -> None:
    """An empty chunk is an event."""
    assert StreamEvent("stdout", "") == _decode("stdout", {"text": ""})


@in_one_test("name", ["result", "exit", "complete", "done", "end"])
@in_one_test("code", ["exitCode", "exit_code", "code"])
def test_the_end_has_many_names(name: str, code: str) -> None:
    """The end event and its exit code have several names; by default its output is the streamed one."""
    for result in (_result(name, {code: 3}), _result("", {"type": name, code: 3})):
        assert ("out", "err", 3) == (result.stdout, result.stderr, result.exit_code)


def test_the_end_may_have_the_complete_result() -> None:
    """It is the same object as in the response without streaming."""
    result = _result("result", RESULT)
    assert ("Sum: 15\n", "", 0, 45) == (result.stdout, result.stderr, result.exit_code, result.execution_time)
    assert {} == result.extra


@pytest.mark.parametrize("key", ["data", "result"])
def test_the_end_may_be_enveloped(key: str) -> None:
    """The result may be in an envelope, as in other responses."""
    assert "Sum: 15\n" == _result("", {"type": "result", key: RESULT}).stdout


@in_one_test(("name", "data"), [("", "[DONE]"), ("", " [DONE] "), ("done", ""), ("end", "bye")])
def test_the_end_may_be_empty(name: str, data: str) -> None:
    """The exit code is then None."""
    result = _result(name, data)
    assert ("out", "err", None) == (result.stdout, result.stderr, result.exit_code)
    assert not result.ok


def test_an_end_with_a_mistyped_field() -> None:
    """A mistyped exit code is an error like any other mistyped field."""
    with pytest.raises(InvalidResponseError):
        _result("exit", {"exitCode": "zero"})


@in_one_test(
    ("code", "kind"),
    [
        ("session_not_found", "SessionNotFoundError"),
        ("file_not_found", "SessionFileNotFoundError"),
        ("execution_timeout", "ExecutionTimeoutError"),
        ("memory_limit_exceeded", "ResourceLimitError"),
        ("disk_full", "ResourceLimitError"),
        ("rate_limit_exceeded", "RateLimitError"),
        ("unauthorized", "AuthenticationError"),
        ("invalid_request", "InvalidRequestError"),
        ("idempotency_conflict", "ConflictError"),
        ("something_new", "APIStatusError"),
    ],
)
def test_the_code_of_an_error_event_selects_the_class(code: str, kind: str) -> None:
    """The error has no status, and the request may have been executed."""
    for name, data in (
        ("error", error_body(code, "m")),
        ("", {"type": "error", "code": code, "message": "m"}),
    ):
        with pytest.raises(BuntimeError, match="m") as caught:
            _decode(name, data)
        assert getattr(buntime, kind) is type(caught.value)
        assert code == caught.value.code
        assert caught.value.status is None
        assert caught.value.maybe_executed


@in_one_test("data", ["it broke", "", "[1]", '{"error": "it broke"}'])
def test_an_error_event_of_any_shape(data: str) -> None:
    """An error event of any form raises an error."""
    with pytest.raises(buntime.APIStatusError):
        _decode("error", data)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "event", "text", "data", "exitCode", "code", "stdout", "error", "x"]),
            inner | st.sampled_from(["result", "error", "stdout"]),
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(
    name=st.sampled_from(["", "stdout", "result", "error", "done", "ping"]),
    data=st.text() | _json.map(json.dumps),
)
def test_any_event_is_decoded(name: str, data: str) -> None:
    """Any event is output, an end, ignored, or a BuntimeError."""
    item = result_or_error(lambda: _decode(name, data))
    if isinstance(item, Terminal):
        end = item
        item = result_or_error(lambda: end.result(_streamed("", "")))
    assert item is None or isinstance(item, (StreamEvent, ExecuteResult, str))


_names = st.sampled_from(["", "message", "output", "stdout", "stderr", "debug", "exit", "done", "error"])
_kinds = st.sampled_from(["", "message", "output", "stdout", "stderr", "debug", "exit", "complete", "error"])
_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"))
_objects = st.dictionaries(
    st.sampled_from(["type", "event", "stream", "text", "data", "chunk", "content", "output", "exitCode"]),
    _kinds | _texts | st.integers() | st.floats(),
    max_size=4,
)


def _encode(name: str, data: str) -> bytes:
    return (f"event: {name}\n" if name else "").encode() + f"data: {data}\n\n".encode()


def _read(content: bytes) -> list[object]:
    return [result_or_error(lambda: decode_event(_REQUEST, *event)) for event in sse.events([content])]  # noqa: B023 - called within the loop


@given(name=_names, data=_texts | st.just("[DONE]") | _objects.map(json.dumps))
def test_the_client_and_a_cassette_read_an_event_alike(name: str, data: str) -> None:
    """Output, kind and end are the same in every accepted form, and after replay."""
    (item,) = _read(_encode(name, data)) or [None]
    stored = serialize_events([(0, _encode(name, data))], b"", DIALECT)
    texts, others = join_outputs(stored, DIALECT)
    if isinstance(item, StreamEvent):
        assert ({item.kind: item.text}, []) == (texts, others)
    else:
        assert {} == texts
    ends = [read_event(*event[1:]).is_end for event in stored]
    assert ends == [item is not None and not isinstance(item, StreamEvent) for _ in stored]
    replayed = _read(b"".join(map(event_bytes, stored)))
    if isinstance(item, StreamEvent):
        assert [item] == replayed
    else:
        assert [type(item)] * len(replayed) == [type(each) for each in replayed]
