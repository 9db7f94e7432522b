"""Streamed executions."""

from __future__ import annotations

import pytest

from buntime import ExecutionFailedError, Session, StreamEvent
from tests.contract import programs


def test_a_stream_brings_the_output_in_order(session: Session) -> None:
    """Each piece says where it was written; the result has the whole of it."""
    with session.stream(programs.STEPS) as stream:
        events = list(stream)
    written = {kind: "".join(e.text for e in events if e.kind == kind) for kind in ("stdout", "stderr")}
    assert {"stdout": "step 1\nstep 2\nstep 3\n", "stderr": "done\n"} == written
    assert StreamEvent("stderr", "done\n") == events[-1]
    assert "step 1\nstep 2\nstep 3\n" == stream.stdout == stream.result.stdout
    assert "done\n" == stream.stderr == stream.result.stderr
    assert (0, False) == (stream.result.exit_code, stream.result.timed_out)


def test_a_stream_ends_with_the_measurements(session: Session) -> None:
    """The result of a stream is as full as that of an unstreamed execution."""
    with session.stream(programs.WRITES) as stream:
        assert [] == list(stream)
    assert ("out/result.txt",) == stream.result.files_written
    assert stream.result.execution_time is not None
    assert stream.result.memory_used is not None


def test_check_applies_to_a_stream(session: Session) -> None:
    """The error comes after the last event."""
    with session.stream(programs.EXIT_3, check=True) as stream:
        assert StreamEvent("stdout", "before\n") == next(stream)
        with pytest.raises(ExecutionFailedError) as caught:
            next(stream)
    assert caught.value.result is not None
    assert 3 == caught.value.result.exit_code
    assert "before\n" == stream.stdout


def test_the_time_limit_ends_a_stream(session: Session) -> None:
    """The output came before, and the result says that the time was up."""
    with session.stream(programs.SLOW, timeout=1) as stream:
        assert "started\n" == "".join(event.text for event in stream)
    assert (124, True) == (stream.result.exit_code, stream.result.timed_out)


def test_text_of_any_script_streams(session: Session) -> None:
    """Characters are never cut between two pieces."""
    with session.stream(programs.UNICODE) as stream:
        assert "é ☃ 😀 \0 end\n" == "".join(event.text for event in stream)


def test_a_stream_may_be_left(session: Session) -> None:
    """Leaving early closes the connection only: the session works on."""
    with session.stream(programs.STEPS) as stream:
        assert next(stream).text.startswith("step 1\n")
    assert [] == list(stream)
    with pytest.raises(RuntimeError):
        _ = stream.result
    assert "hello\n" == session.execute(programs.HELLO).stdout
