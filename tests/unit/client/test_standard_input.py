"""Standard input on a fake: requests, and errors before anything is sent."""

from __future__ import annotations

from typing import Any, Callable

import pytest

from buntime import APIConnectionError, Buntime, ConflictError, Session
from buntime.transport import FakeTransport, MiddlewareTransport, Request, Response, ScriptedExecution
from tests.support.forks import needs_fork, run_in_fork


@pytest.fixture
def fake() -> FakeTransport:
    """Return a fake whose program prints its input."""
    fake = FakeTransport()
    fake.on_execute(command="cat", handler=lambda run: run.stdin.decode())
    return fake


def session_of(transport: Any) -> Session:
    """Return a session of a client that retries without waiting."""
    return Buntime(transport=transport, retry_delay=0.001).sessions.create()


def test_a_write_whose_response_is_lost_is_written_once(fake: FakeTransport) -> None:
    """It is sent again at the same position, which the session has already."""
    responses = 0

    def lose(request: Request, send: Callable[[Request], Response]) -> Response:
        nonlocal responses
        response = send(request)
        if isinstance(request.body, bytes) and b"process_write" in request.body[:400]:
            responses += 1
            if responses % 2:
                raise APIConnectionError("the response is lost", phase="read")
        return response

    process = session_of(MiddlewareTransport(fake, lose)).start(command="cat", stdin=True)
    for piece in ("a", "a", "b"):
        process.write(piece)
    process.close_stdin()
    assert (8, "aab") == (responses, process.logs().stdout)


def test_writing_after_an_error(fake: FakeTransport) -> None:
    """The position is asked for again."""
    session = session_of(fake)
    process = session.start(command="cat", stdin=True)
    process.write("1")
    session.processes()[0].write("2")
    with pytest.raises(ConflictError, match="another client"):
        process.write("3")
    process.write("3")
    process.close_stdin()
    assert "123" == process.logs().stdout


@needs_fork
def test_a_forked_process_asks_for_the_position(fake: FakeTransport) -> None:
    """It may have been changed by the parent meanwhile."""
    process = session_of(fake).start(command="cat", stdin=True)
    process.write("1")

    def write() -> str:
        process.write("2")
        process.close_stdin()
        return process.logs().stdout

    assert "12" == run_in_fork(write)


@pytest.mark.parametrize("value", [5, ["x"], object()])
def test_other_types_are_refused(fake: FakeTransport, value: Any) -> None:
    """Nothing is sent."""
    session = session_of(fake)
    process = session.start(command="cat", stdin=True)
    sent = len(fake.calls)
    with pytest.raises(TypeError, match="data must be str or bytes"):
        process.write(value)
    with pytest.raises(TypeError, match="stdin must be a str, bytes or an open file"):
        session.execute(command="cat", stdin=value)
    with pytest.raises(ValueError, match="surrogate"):
        session.execute(command="cat", stdin="\ud800")
    assert sent == len(fake.calls)


def test_a_script_gets_the_input_and_the_rest_of_the_execution(fake: FakeTransport) -> None:
    """Code, environment, files and folder are those of an execution without standard input."""
    seen: list[ScriptedExecution] = []
    fake.on_execute("read()", handler=seen.append)
    session = session_of(fake)
    session.files.write("sub/x", "")
    for idempotent in (False, True):
        stdin = bytearray(b"\xff" * 20_000)
        options: Any = {"files": {"y": ""}, "working_dir": "sub", "idempotent": idempotent, "stdin": stdin}
        session.execute("read()", env={"A": "b"}, **options)
    assert 20_000 == len(seen[0].stdin) == len(seen[1].stdin)
    assert ("read()", "sub", "b") == (seen[0].code, seen[0].working_dir, seen[0].env["A"])
    assert b"" == seen[0].workspace.read("y")
    result = session.execute("read()", stdin="x", working_dir="../..")
    assert (126, True) == (result.exit_code, "cannot be started" in result.stderr)


def test_the_repr_of_a_request_has_no_long_input(fake: FakeTransport) -> None:
    """Bytes are shown by their number."""
    from buntime import ExecuteRequest

    assert "stdin=<100000 bytes>" in repr(ExecuteRequest("1", stdin=bytes(100_000)))
    assert len(repr(ExecuteRequest("1", stdin="x" * 100_000))) < 1000
    with session_of(fake).stream(ExecuteRequest(command="cat", stdin="streamed")) as stream:
        assert ["streamed"] == [event.text for event in stream]
