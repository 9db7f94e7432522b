"""Commands: their result, their output as it arrives, and streams that are cut."""

from __future__ import annotations

import json
import threading
from typing import Any, Optional

import pytest

from buntime.errors import APIConnectionError, APIError, APITimeoutError, WaitTimeoutError
from buntime.runloop import RunloopSDK
from buntime.transport import Request, Response
from tests.runloop.client.stub import Stub, as_json
from tests.support.cases import in_one_test

_RUNNING = {"devbox_id": "dbx_1", "execution_id": "exc_1", "status": "running"}
_DONE = {**_RUNNING, "status": "completed", "exit_status": 0}


def _events(*events: tuple[str, Optional[int]], error: Optional[dict[str, Any]] = None) -> list[bytes]:
    lines = [b": a comment\n\n"]
    for text, offset in events:
        data = {"output": text} if offset is None else {"output": text, "offset": offset}
        lines.append(f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode())
    if error is not None:
        lines.append(f"event: error\ndata: {json.dumps(error)}\n\n".encode())
    return lines


def _streams(*bodies: Any, final: dict[str, Any] = _DONE) -> Stub:
    """Return a service that answers each request for a stream with the next body."""
    remaining = list(bodies)

    def respond(request: Request) -> Optional[Response]:
        if request.path.endswith("_updates"):
            body = remaining.pop(0)
            return body if isinstance(body, Response) else Response(200, {}, _cut(body))
        if request.path.endswith(("/exc_1", "wait_for_status", "execute")):
            return as_json(_RUNNING if remaining else final)
        return as_json(_RUNNING) if request.path.endswith("execute_async") else None

    return Stub(respond=respond)


def _cut(body: list[Any]) -> Any:
    for piece in body:
        if isinstance(piece, BaseException):
            raise piece
        yield piece


def _exec(stub: Stub, **options: Any) -> Any:
    return stub.client(**options).devbox.from_id("dbx_1").cmd


_LOST = APIConnectionError("the connection was lost", phase="read")


@in_one_test(
    ("first", "second"),
    [
        ([*_events(("ab", 0), ("é", 2)), _LOST], _events(("cd", 4))),
        ([*_events(("ab", 0), ("é", 2)), _LOST], _events(("é", 2), ("cd", 4))),
        ([*_events(("ab", 0), ("é", 2)), _LOST], _events(("abéc", 0), ("d", 5))),
        ([*_events(("ab", None), ("é", None)), _LOST], _events(("cd", None))),
        ([*_events(("ab", 0), ("é", 2), error={"code": 408, "message": "reconnect"})], _events(("cd", 4))),
        (_events(("ab", 0), ("é", 2)), _events(("cd", 4))),
    ],
    ids=["continues", "repeats a piece", "repeats all", "no offsets", "reconnect", "ends early"],
)
def test_cut_stream_is_resumed(first: list[Any], second: list[Any]) -> None:
    """The output is complete and without repetition, however the service resumes."""
    stub = _streams(first, second)
    pieces: list[str] = []
    result = _exec(stub).exec("x", stdout=pieces.append)

    assert "abécd" == "".join(pieces) == result.stdout()
    offsets = [dict(r.query).get("offset") for r in stub.requests if r.path.endswith("stdout_updates")]
    assert [None, "4"] == offsets


def test_bytes_that_are_not_text() -> None:
    """A program may print bytes that are not UTF-8: their characters are longer, and nothing is cut off."""
    events = _events(("\ufffd", 0), ("abc", 1), ("def", 4))
    assert "\ufffdabcdef" == _exec(_streams(events)).exec("x", stdout=str).stdout()


def test_stream_gives_up() -> None:
    """A stream that is cut again and again without new output ends the call; one with output does not."""
    stub = _streams(*[[_LOST] for _ in range(20)])
    with pytest.raises(APIConnectionError, match="the connection was lost"):
        _exec(stub, max_retries=2).exec("x", stdout=print)
    assert 3 == sum(request.path.endswith("_updates") for request in stub.requests)

    pieces = [[*_events((str(n % 10), n)), _LOST] for n in range(20)]
    assert (
        "01234567890123456789" == _exec(_streams(*pieces, []), max_retries=2).exec("x", stdout=str).stdout()
    )


def test_error_of_a_stream() -> None:
    """An error event is the error of its code, with the call."""
    stub = _streams(_events(("a", 0), error={"code": 404, "message": "no such execution"}))
    with pytest.raises(APIError, match="no such execution") as caught:
        _exec(stub).exec("x", stdout=str)
    assert ("NotFoundError", 404) == (caught.value.name, caught.value.status)
    assert "GET /v1/devboxes/dbx_1/executions/exc_1/stream_stdout_updates" == caught.value.call


def test_callbacks_run_on_the_thread_of_the_call() -> None:
    """With one stream and with both, callbacks run on the caller's thread and get all output in order."""
    threads: set[int] = set()
    texts: dict[str, str] = {"stdout": "", "stderr": "", "output": ""}

    def collect(kind: str) -> Any:
        def add(text: str) -> None:
            threads.add(threading.get_ident())
            texts[kind] += text

        return add

    def respond(request: Request) -> Optional[Response]:
        if request.path.endswith("stdout_updates"):
            return Response(200, {}, _events(*[(f"{n};", None) for n in range(300)]))
        if request.path.endswith("stderr_updates"):
            return Response(200, {}, _events(*[(f"e{n};", None) for n in range(300)]))
        return None

    stub = Stub(respond=respond)
    callbacks = {kind: collect(kind) for kind in texts}
    result = _exec(stub).exec("x", **callbacks)

    assert {threading.get_ident()} == threads
    assert "".join(f"{n};" for n in range(300)) == texts["stdout"] == result.stdout()
    assert "".join(f"e{n};" for n in range(300)) == texts["stderr"] == result.stderr()
    assert sorted(texts["output"]) == sorted(texts["stdout"] + texts["stderr"])


def test_exception_of_a_callback() -> None:
    """It ends the wait and is raised; the command is not killed. Anything not callable is refused before."""

    def fail(_text: str) -> None:
        raise ZeroDivisionError

    for options in ({"stdout": fail}, {"stdout": fail, "stderr": str}):
        stub = Stub()
        with pytest.raises(ZeroDivisionError):
            _exec(stub).exec("x", **options)
        assert "devboxes.executions.kill" not in stub.acted
    stub = Stub()
    with pytest.raises(TypeError, match="stdout must be callable with a str, not list"):
        _exec(stub).exec("x", stdout=[])
    assert [] == stub.requests


def test_short_command_is_one_request() -> None:
    """``exec`` is one request for a short command, and one for each 25 seconds of a long one."""
    stub = Stub()
    assert _exec(stub).exec("true").success
    assert ["devboxes.execute"] == stub.acted

    long = _streams(final=_DONE)
    long.faults = [as_json(_RUNNING), 408, 408]
    assert 0 == _exec(long).exec("sleep 60").exit_code
    assert 4 == len(long.requests)
    body = {"statuses": ["completed"], "timeout_seconds": 25}
    assert body == json.loads(long.requests[-1].content)


def test_hold_of_execute_that_ends() -> None:
    """A 408 of ``execute`` is followed by the same ``command_id``, and never is an attempt."""
    stub = Stub(*[408] * 9)
    assert _exec(stub, max_retries=0).exec("sleep 60").success
    assert (10, 1) == (len(stub.requests), len({request.body for request in stub.requests}))
    with pytest.raises(APIError) as caught:
        _exec(Stub(408), max_retries=0, repeat_execute=False).exec("sleep 60")
    assert caught.value.maybe_executed


def test_output_beyond_the_last_lines_is_fetched_when_it_is_read() -> None:
    """The stream is read once, from its start, and only for an output that was cut."""
    lines = "".join(f"Line {n}\n" for n in range(300))
    view = {**_DONE, "stdout": lines[-900:], "stdout_truncated": True, "stderr": "all\n"}

    def respond(request: Request) -> Optional[Response]:
        if request.path.endswith("_updates"):
            return Response(200, {}, _events((lines, 0)))
        return as_json(view)

    stub = Stub(respond=respond)
    result = _exec(stub).exec("x")
    assert ("all\n", 1) == (result.stderr(), len(stub.requests))
    assert ("Line 298\nLine 299", 1) == (result.stdout(num_lines=2), len(stub.requests))
    assert lines == result.stdout() == result.stdout()
    assert 3 == len(stub.requests)
    assert ("", "Line 299") == (result.stdout(0), result.stdout(1))


def test_output_is_bounded() -> None:
    """At most ``max_output`` bytes are stored, the first and the last half, however the output arrives."""
    text = "".join(f"{n:09}\n" for n in range(10_000))
    bounded = _exec(_streams(_events((text, 0))), max_output=1000).exec("x", stdout=str).stdout()
    assert len(bounded) < 1100
    assert bounded.startswith(text[:490])
    assert bounded.endswith(text[-490:])
    assert "bytes of output left out" in bounded
    complete = Stub(respond=lambda _: as_json({**_DONE, "stdout": text}))
    assert len(_exec(complete, max_output=1000).exec("x").stdout()) < 1100


def test_execution_in_the_background() -> None:
    """Callbacks of ``exec_async`` run on a thread; ``result`` waits for all output and raises their error."""
    pieces: list[str] = []
    stub, is_read = _streams(_events(("a", 0), ("b", 1))), threading.Event()
    respond = stub.respond
    assert respond is not None

    def hold(request: Request) -> Optional[Response]:
        # The clock of the stub passes with each request, and the thread may begin later than 30 s of it.
        if request.path.endswith("wait_for_status"):
            assert is_read.wait(30)
        response = respond(request)
        if request.path.endswith("_updates"):
            is_read.set()
        return response

    stub.respond = hold
    execution = _exec(stub).exec_async("x", stdout=pieces.append)
    result = execution.result(timeout=30)
    assert (["a", "b"], "ab", "exc_1") == (pieces, result.stdout(), execution.execution_id)

    def fail(_text: str) -> None:
        raise ZeroDivisionError

    execution = _exec(_streams(_events(("a", 0)))).exec_async("x", stdout=fail)
    with pytest.raises(ZeroDivisionError):
        execution.result()


def test_timeout_of_a_result() -> None:
    """``result(timeout=)`` is one deadline for all waits, and leaves the command running."""
    stub = Stub(*[408] * 50)
    execution = RunloopSDK(transport=stub).devbox.from_id("dbx_1").cmd
    stub.faults.insert(0, as_json(_RUNNING))
    started = execution.exec_async("sleep 1000")
    with pytest.raises(WaitTimeoutError, match="exc_1 is completed"):
        started.result(timeout=12)
    assert 12.0 == stub.now
    assert [] == stub.acted


def test_timeout_of_a_command() -> None:
    """``exec(timeout=)`` raises a WaitTimeoutError, also while the service holds the first request."""

    def respond(_request: Request) -> Optional[Response]:
        stub.now += 25
        raise APITimeoutError("no response in time", phase="read")

    stub = Stub(respond=respond)
    with pytest.raises(WaitTimeoutError) as caught:
        _exec(stub).exec("sleep 1000", timeout=20)
    assert (True, 1) == (caught.value.maybe_executed, len(stub.requests))


def test_standard_input() -> None:
    """``send_stdin`` sends text or a signal, once."""
    stub = Stub()
    execution = _exec(stub).exec_async("cat", attach_stdin=True)
    execution.send_stdin("y\n")
    execution.send_stdin(signal="EOF")
    with pytest.raises(TypeError, match="either text or signal"):
        execution.send_stdin()
    bodies = [json.loads(request.content) for request in stub.requests]
    assert [{"command": "cat", "attach_stdin": True}, {"text": "y\n"}, {"signal": "EOF"}] == bodies
