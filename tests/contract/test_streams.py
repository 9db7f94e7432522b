"""Streamed executions."""

from __future__ import annotations

import threading

import pytest

from buntime import ExecutionFailedError, Session, StreamEvent
from tests.contract import programs
from tests.contract.transports import DEVBOX


def test_a_stream_yields_the_output_in_order(session: Session, transport_name: str) -> None:
    """Each event names its stream; the result has the complete output."""
    with session.stream(programs.STEPS) as stream:
        events = list(stream)
    written = {kind: "".join(e.text for e in events if e.kind == kind) for kind in ("stdout", "stderr")}
    assert {"stdout": "step 1\nstep 2\nstep 3\n", "stderr": "done\n"} == written
    # The two streams of a devbox are two connections: whichever is read first comes first.
    assert StreamEvent("stderr", "done\n") == events[-1] or transport_name == DEVBOX
    assert "step 1\nstep 2\nstep 3\n" == stream.stdout == stream.result.stdout
    assert "done\n" == stream.stderr == stream.result.stderr
    assert (0, False) == (stream.result.exit_code, stream.result.timed_out)


def test_a_stream_ends_with_the_measurements(session: Session) -> None:
    """The result of a stream is as complete as without streaming."""
    with session.stream(programs.WRITES) as stream:
        assert [] == list(stream)
    assert ("out/result.txt",) == stream.result.files_written
    assert stream.result.execution_time is not None
    assert stream.result.memory_used is not None


def test_check_applies_to_a_stream(session: Session) -> None:
    """The error is raised after the last event."""
    with session.stream(programs.EXIT_3, check=True) as stream:
        assert StreamEvent("stdout", "before\n") == next(stream)
        with pytest.raises(ExecutionFailedError) as caught:
            next(stream)
    assert caught.value.result is not None
    assert 3 == caught.value.result.exit_code
    assert "before\n" == stream.stdout


def test_the_time_limit_ends_a_stream(session: Session) -> None:
    """The output arrives first, and the result has timed_out."""
    with session.stream(programs.SLOW, timeout=1) as stream:
        assert "started\n" == "".join(event.text for event in stream)
    assert (124, True) == (stream.result.exit_code, stream.result.timed_out)


def test_text_of_any_script_streams(session: Session) -> None:
    """Characters are never split between two events."""
    with session.stream(programs.UNICODE) as stream:
        assert "é ☃ 😀 \0 end\n" == "".join(event.text for event in stream)


def test_a_stream_may_be_abandoned(session: Session) -> None:
    """Leaving early only closes the connection: the session remains usable."""
    with session.stream(programs.STEPS) as stream:
        # The two streams of a devbox are two connections: whichever is read first comes first.
        first = next(event for event in stream if event.kind == "stdout")
        assert first.text.startswith("step 1\n")
    assert [] == list(stream)
    with pytest.raises(RuntimeError):
        _ = stream.result
    assert "hello\n" == session.execute(programs.HELLO).stdout


def test_a_stream_by_lines(session: Session) -> None:
    """Each event is a line without its line end, however the output was split."""
    with session.stream(programs.STEPS) as stream:
        lines = list(stream.lines())
    assert ["step 1", "step 2", "step 3"] == [line.text for line in lines if line.kind == "stdout"]
    assert ["done"] == [line.text for line in lines if line.kind == "stderr"]
    assert "step 1\nstep 2\nstep 3\n" == stream.result.stdout


def test_callbacks_receive_the_output_during_the_execution(session: Session) -> None:
    """They run in the caller's thread; the result is the same as without them."""
    out: list[str] = []
    err: list[str] = []
    threads: set[int] = set()

    def on_stdout(text: str) -> None:
        threads.add(threading.get_ident())
        out.append(text)

    result = session.execute(programs.STEPS, on_stdout=on_stdout, on_stderr=err.append, check=True)
    plain = session.execute(programs.STEPS)
    assert out[0].startswith("step 1\n")
    assert (plain.stdout, plain.stderr, plain.exit_code) == ("".join(out), "".join(err), result.exit_code)
    assert (plain.stdout, plain.stderr) == (result.stdout, result.stderr)
    assert result.execution_time is not None
    assert {threading.get_ident()} == threads
    assert "hello\n" == session.execute(programs.HELLO, on_stderr=err.append).stdout


def test_errors_of_callbacks_are_raised(session: Session) -> None:
    """The wait ends, and the session remains usable."""

    def on_stdout(text: str) -> None:
        raise KeyError(text)

    with pytest.raises(KeyError, match="step 1"):
        session.execute(programs.STEPS, on_stdout=on_stdout)
    assert "hello\n" == session.execute(programs.HELLO).stdout


def test_check_applies_with_callbacks(session: Session) -> None:
    """The error is raised after the output."""
    out: list[str] = []
    with pytest.raises(ExecutionFailedError):
        session.execute(programs.EXIT_3, on_stdout=out.append, check=True)
    assert ["before\n"] == out
