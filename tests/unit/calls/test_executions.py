"""Executions: a single response, or a stream of output."""

from __future__ import annotations

from typing import Any, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import (
    APIConnectionError,
    Buntime,
    BuntimeError,
    ExecuteRequest,
    ExecuteResult,
    ExecuteStream,
    ExecutionFailedError,
    ExecutionTimeoutError,
    ResourceLimitError,
    SessionNotFoundError,
    StreamEvent,
)
from buntime.transport import Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always, cut, lost

_result = always(responses.as_json, responses.RESULT)
_OUT = responses.event("stdout", {"text": "a\n"})
_ERR = responses.event("stderr", {"text": "b\n"})
_END = responses.event("result", responses.result(stdout="a\n", stderr="b\n", exitCode=3))


def _stream(*chunks: bytes, **options: Any) -> tuple[ExecuteStream, ScriptedTransport]:
    transport = ScriptedTransport(always(responses.event_stream, *chunks))
    return Buntime(transport=transport).stream(session_id="ses_1", code="1", **options), transport


def test_a_result_is_returned() -> None:
    """The value is decoded from the response."""
    transport = ScriptedTransport(_result)
    result = Buntime(transport=transport).execute(session_id="ses_1", code="sum()")
    assert ("Sum: 15\n", 0, True) == (result.stdout, result.exit_code, result.ok)
    assert {"sessionId": "ses_1", "code": "sum()"} == transport.body()


def test_a_non_zero_exit_is_a_result() -> None:
    """The program failed, but the request succeeded."""
    transport = ScriptedTransport(always(responses.as_json, responses.result(exitCode=3, stderr="boom")))
    assert 3 == Buntime(transport=transport).execute(session_id="ses_1", command="false").exit_code


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"exitCode": 3, "stderr": "TypeError: boom"}, ExecutionFailedError),
        ({"exitCode": 124, "timedOut": True, "stderr": "TypeError: boom"}, ExecutionTimeoutError),
        ({"exitCode": 0, "timedOut": True, "stderr": "TypeError: boom"}, ExecutionTimeoutError),
    ],
)
def test_check_raises_for_a_failure(changes: dict[str, Any], kind: type[ExecutionFailedError]) -> None:
    """The error has the result, the name of the method and the end of stderr."""
    transport = ScriptedTransport(
        always(responses.error, 503, ""), always(responses.as_json, responses.result(**changes))
    )
    with pytest.raises(ExecutionFailedError, match="TypeError: boom") as caught:
        Buntime(transport=transport).execute(session_id="ses_1", code="1", check=True)
    assert kind is type(caught.value)
    assert caught.value.result is not None
    assert changes["exitCode"] == caught.value.result.exit_code
    assert ("POST /execute", 2) == (caught.value.call, caught.value.attempts)
    assert 2 == len(transport.requests)


def test_check_returns_a_successful_result() -> None:
    """With exit code 0 it changes nothing."""
    assert Buntime(transport=ScriptedTransport(_result)).execute(session_id="ses_1", code="1", check=True).ok


def test_a_request_as_a_value() -> None:
    """It is equivalent to its arguments, in its own session or the one passed beside it."""
    request = ExecuteRequest(command="ls", env={"A": "b"}, timeout=5, session_id="ses_1")
    transport = ScriptedTransport(_result)
    client = Buntime(transport=transport)
    client.execute(request)
    client.execute(session_id="ses_1", command="ls", env={"A": "b"}, timeout=5)
    client.execute(request, session_id="ses_1")
    client.sessions.attach("ses_1").execute(request)
    client.sessions.attach("ses_1").execute(ExecuteRequest(command="ls", env={"A": "b"}, timeout=5))
    assert 1 == len(set(transport.requests))
    list(client.stream(request, session_id="ses_1"))
    assert transport.body()["stream"]


_CONFLICTS: list[tuple[Callable[[Any], object], type[Exception], str]] = [
    (lambda c: c.execute("1", session_id="s"), TypeError, "ExecuteRequest"),
    (lambda c: c.execute(code="1"), TypeError, "session_id"),
    (lambda c: c.execute(ExecuteRequest("1")), TypeError, "session_id"),
    (lambda c: c.execute(ExecuteRequest("1"), session_id="s", timeout=5), TypeError, "timeout"),
    (lambda c: c.execute(ExecuteRequest("1"), session_id="s", timeout=0), TypeError, "timeout"),
    (lambda c: c.execute(ExecuteRequest("1"), session_id="s", files={}), TypeError, "files"),
    (lambda c: c.execute(ExecuteRequest("1"), session_id="s", check=True), TypeError, "check"),
    (lambda c: c.execute(ExecuteRequest("1", session_id="a"), session_id="b"), ValueError, "session"),
    (lambda c: c.sessions.attach("b").execute(ExecuteRequest("1", session_id="a")), ValueError, "session"),
    (lambda c: c.sessions.attach("b").execute(ExecuteRequest("1"), env={"A": "b"}), TypeError, "env"),
    (lambda c: c.sessions.attach("b").stream(ExecuteRequest("1"), command="ls"), TypeError, "command"),
]


@in_one_test(("call", "kind", "message"), _CONFLICTS, ids=range(len(_CONFLICTS)))
def test_a_request_with_conflicting_arguments(
    call: Callable[[Buntime], object], kind: type[Exception], message: str
) -> None:
    """No argument is silently ignored: a conflict with the request is an error before anything is sent."""
    transport = ScriptedTransport(_result)
    with pytest.raises(kind, match=message):
        call(Buntime(transport=transport))
    assert [] == transport.requests


@in_one_test(
    ("options", "limit", "expected"),
    [({}, None, 330.0), ({"timeout": 5}, None, 35.0), ({}, 60, 90.0), ({"timeout": 5}, 60, 35.0)],
)
@in_one_test("method", ["execute", "stream"])
def test_the_read_timeout_covers_the_time_limit(
    method: str, options: dict[str, Any], limit: int | None, expected: float
) -> None:
    """The read timeout is its time limit, else the session's, else 300 s, plus the client's timeout."""
    created = {**responses.CREATED, "resourceLimits": {"timeout": limit}}
    transport = ScriptedTransport(always(responses.as_json, created), _result)
    session = Buntime(transport=transport, timeout=30).sessions.create()
    getattr(session, method)("1", **options)
    assert expected == transport.requests[1].read_timeout
    assert 30.0 == transport.requests[1].connect_timeout


def test_an_execution_without_timeout_waits_for_ever() -> None:
    """``timeout=None`` of the client applies to executions too."""
    transport = ScriptedTransport(_result)
    Buntime(transport=transport, timeout=None).execute(session_id="ses_1", code="1", timeout=5)
    assert transport.requests[0].read_timeout is None


def test_a_stream_yields_its_events_and_then_has_its_result() -> None:
    """The events have the order in which they were sent."""
    stream, transport = _stream(_OUT, _ERR, _END)
    assert [StreamEvent("stdout", "a\n"), StreamEvent("stderr", "b\n")] == list(stream)
    assert ("a\n", "b\n", 3) == (stream.result.stdout, stream.result.stderr, stream.result.exit_code)
    assert ("a\n", "b\n") == (stream.stdout, stream.stderr)
    assert 1 == transport.responses_closed
    assert [] == list(stream)


def test_output_so_far() -> None:
    """It grows as events arrive; before the end there is no result."""
    stream, _ = _stream(_OUT, _ERR, _END)
    next(stream)
    assert ("a\n", "") == (stream.stdout, stream.stderr)
    with pytest.raises(RuntimeError, match="iterate"):
        stream.result  # noqa: B018 - reading it is what fails
    stream.close()
    with pytest.raises(RuntimeError, match="closed before its end"):
        stream.result  # noqa: B018 - reading it is what fails


def test_an_end_without_fields_uses_the_streamed_output() -> None:
    """The result has the received output; the exit code is unknown."""
    stream, _ = _stream(_OUT, b"data: [DONE]\n\n")
    list(stream)
    assert ExecuteResult("a\n", "", None) == stream.result


def test_an_end_without_exit_code_is_a_failure() -> None:
    """With ``check``, an unknown exit code raises an error."""
    stream, _ = _stream(b"data: [DONE]\n\n", check=True)
    with pytest.raises(ExecutionFailedError, match="without an exit code"):
        list(stream)


def test_a_stream_without_an_end_event_is_an_error() -> None:
    """The program may have run; the output so far stays available."""
    stream, transport = _stream(_OUT)
    with pytest.raises(APIConnectionError, match="without a result") as caught:
        list(stream)
    assert "read" == caught.value.phase
    assert caught.value.maybe_executed
    assert "a\n" == stream.stdout
    assert 1 == transport.responses_closed
    with pytest.raises(RuntimeError):
        stream.result  # noqa: B018 - reading it is what fails


def test_a_stream_that_breaks_is_an_error() -> None:
    """The error has the name of the request."""
    transport = ScriptedTransport(
        lambda: Response(200, [("Content-Type", "text/event-stream")], cut(_OUT, then=lost("read")))
    )
    stream = Buntime(transport=transport).stream(session_id="ses_1", code="1")
    with pytest.raises(APIConnectionError, match="POST /execute"):
        list(stream)
    assert 1 == transport.responses_closed


def test_check_raises_at_the_end_of_a_stream() -> None:
    """It raises after the last event; the result stays available."""
    stream, _ = _stream(_OUT, _END, check=True)
    events = [next(stream)]
    with pytest.raises(ExecutionFailedError, match="exit code 3") as caught:
        events.extend(stream)
    assert [StreamEvent("stdout", "a\n")] == events
    assert stream.result == caught.value.result
    assert ("POST /execute", 1) == (caught.value.call, caught.value.attempts)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("memory_limit_exceeded", ResourceLimitError), ("execution_timeout", ExecutionTimeoutError)],
)
def test_an_error_event_ends_a_stream(code: str, kind: type[BuntimeError]) -> None:
    """It is raised at its position in the stream, with the request it belongs to."""
    stream, transport = _stream(_OUT, responses.event("error", responses.error_body(code, "m")))
    with pytest.raises(kind, match="POST /execute") as caught:
        list(stream)
    assert code == caught.value.code
    assert 1 == transport.responses_closed


def test_an_error_response_to_a_stream_is_raised_immediately() -> None:
    """The error is raised before the first iteration."""
    transport = ScriptedTransport(always(responses.error, 404, "session_not_found"))
    with pytest.raises(SessionNotFoundError):
        Buntime(transport=transport).stream(session_id="ses_1", code="1")
    assert 1 == transport.responses_closed


def test_an_unknown_event_is_ignored() -> None:
    """A newer service may send more than output."""
    stream, _ = _stream(_OUT, responses.event("usage", {"cpu": 1}), b": keep-alive\n\n", _ERR, _END)
    assert ["stdout", "stderr"] == [event.kind for event in stream]


def test_any_error_closes_the_connection() -> None:
    """An error of another library closes it too."""
    transport = ScriptedTransport(
        lambda: Response(200, [("Content-Type", "text/event-stream")], cut(_OUT, then=KeyError("a bug")))
    )
    stream = Buntime(transport=transport).stream(session_id="ses_1", code="1")
    with pytest.raises(KeyError):
        list(stream)
    assert 1 == transport.responses_closed


def test_leaving_early_closes_the_connection() -> None:
    """The context manager closes the stream, and iteration ends."""
    stream, transport = _stream(_OUT, _ERR, _END)
    with stream:
        next(stream)
        assert 0 == transport.responses_closed
    assert 1 == transport.responses_closed
    assert [] == list(stream)
    stream.close()
    assert 1 == transport.responses_closed


def test_a_stream_is_not_read_ahead() -> None:
    """The method returns before the first event, and each event is yielded before the next is read."""
    read: list[int] = []

    def chunks() -> Any:
        for number, chunk in enumerate([_OUT, _ERR, _END]):
            read.append(number)
            yield chunk

    transport = ScriptedTransport(lambda: Response(200, [("Content-Type", "text/event-stream")], chunks()))
    stream = Buntime(transport=transport).stream(session_id="ses_1", code="1")
    assert [] == read
    next(stream)
    assert [0] == read


def test_a_json_response_to_a_stream() -> None:
    """A service that does not stream returns JSON; its output becomes events."""
    transport = ScriptedTransport(always(responses.as_json, responses.result(stderr="b\n")))
    stream = Buntime(transport=transport).stream(session_id="ses_1", code="1")
    assert [StreamEvent("stdout", "Sum: 15\n"), StreamEvent("stderr", "b\n")] == list(stream)
    assert "Sum: 15\n" == stream.result.stdout


def test_a_json_response_to_a_stream_is_checked_too() -> None:
    """``check`` does not depend on the form of the response."""
    transport = ScriptedTransport(always(responses.as_json, responses.result(exitCode=1)))
    stream = Buntime(transport=transport).stream(session_id="ses_1", code="1", check=True)
    with pytest.raises(ExecutionFailedError):
        list(stream)


def _lines(*texts: str) -> list[str]:
    stream, _ = _stream(*(responses.event("stdout", {"text": text}) for text in texts), _END)
    return [line.text for line in stream.lines()]


@in_one_test(
    ("texts", "expected"),
    [
        (["a\nb\n"], ["a", "b"]),
        (["a\r\nb\r", "\nc"], ["a", "b", "c"]),
        (["a", "", "b", "\n"], ["ab"]),
        (["\n\n"], ["", ""]),
        (["no end"], ["no end"]),
        (["50%\r100%\r", "done\n"], ["50%\r100%\rdone"]),
        (["one\x0bline\u2028still\n"], ["one\x0bline\u2028still"]),
        ([], []),
    ],
)
def test_lines_of_a_stream(texts: list[str], expected: list[str]) -> None:
    """A line ends with LF or CRLF, however the output is divided, and at the end of the stream."""
    assert expected == _lines(*texts)


@given(texts=st.lists(st.text(st.sampled_from("ab\r\n"), max_size=6), max_size=6))
def test_lines_do_not_depend_on_the_pieces(texts: list[str]) -> None:
    """Any division of the same output gives the same lines."""
    assert _lines("".join(texts)) == _lines(*texts)


def test_lines_of_both_outputs_do_not_mix() -> None:
    """Each kind has its own unfinished line."""
    pieces = [("stdout", "a"), ("stderr", "x"), ("stdout", "b\nc"), ("stderr", "y\n")]
    stream, _ = _stream(*(responses.event(kind, {"text": text}) for kind, text in pieces), _END)
    assert [StreamEvent("stdout", "ab"), StreamEvent("stderr", "xy"), StreamEvent("stdout", "c")] == list(
        stream.lines()
    )
    assert 3 == stream.result.exit_code


def test_lines_raise_the_error_of_the_stream() -> None:
    """The unfinished line is in the output so far."""
    stream, transport = _stream(responses.event("stdout", {"text": "whole\ncut"}))
    lines = stream.lines()
    assert StreamEvent("stdout", "whole") == next(lines)
    with pytest.raises(APIConnectionError, match="without a result"):
        next(lines)
    assert "whole\ncut" == stream.stdout
    assert 1 == transport.responses_closed


@pytest.mark.parametrize(
    ("steps", "exit_code"),
    [
        ([_OUT, _ERR, _END], 3),
        ([_OUT, _ERR, responses.event("exit", {"code": 3})], 3),
        ([_OUT, _ERR, b"data: [DONE]\n\n"], None),
    ],
)
def test_callbacks_do_not_change_the_result(steps: list[bytes], exit_code: int | None) -> None:
    """It has the output for every way in which a stream may end."""
    transport = ScriptedTransport(always(responses.event_stream, *steps))
    outputs: list[str] = []
    session = Buntime(transport=transport).sessions.attach("ses_1")
    result = session.execute("1", on_stdout=outputs.append, on_stderr=outputs.append)
    assert ("a\n", "b\n", exit_code) == (result.stdout, result.stderr, result.exit_code)
    assert result.ok is False
    assert ["a\n", "b\n"] == outputs
    assert True is transport.body()["stream"]
    assert 1 == transport.responses_closed


def test_callbacks_of_a_service_that_does_not_stream() -> None:
    """They receive the output in one piece."""
    transport = ScriptedTransport(always(responses.as_json, responses.RESULT))
    outputs: list[str] = []
    Buntime(transport=transport).execute(session_id="ses_1", code="1", on_stdout=outputs.append)
    assert ["Sum: 15\n"] == outputs


def test_an_error_in_a_callback_closes_the_stream() -> None:
    """The caller receives the error unchanged."""
    transport = ScriptedTransport(always(responses.event_stream, _OUT, _ERR, _END))
    client = Buntime(transport=transport)
    with pytest.raises(ZeroDivisionError):
        client.execute(session_id="ses_1", code="1", on_stdout=lambda _text: 1 / 0)
    assert (1, 1) == (len(transport.requests), transport.responses_closed)


def test_callbacks_are_accepted_with_a_request() -> None:
    """They are not part of the request value."""
    transport = ScriptedTransport(always(responses.event_stream, _OUT, _END))
    outputs: list[str] = []
    client = Buntime(transport=transport)
    client.execute(ExecuteRequest("1"), session_id="ses_1", on_stdout=outputs.append)
    assert ["a\n"] == outputs
