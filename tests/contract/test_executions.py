"""Execute code and commands."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from buntime import (
    Buntime,
    ExecuteRequest,
    ExecutionFailedError,
    ExecutionTimeoutError,
    InvalidRequestError,
    Session,
)
from tests.contract import programs


def test_code_runs(session: Session) -> None:
    """The result has the output, the exit code and the measurements."""
    result = session.execute(programs.HELLO)
    assert ("hello\n", "", 0) == (result.stdout, result.stderr, result.exit_code)
    assert result.ok
    assert result.timed_out is False
    assert () == result.files_written
    assert result.execution_time is not None
    assert result.cpu_time is not None
    assert result.memory_used is not None
    assert result.memory_used > 0
    assert {} == result.extra


def test_typescript_and_top_level_await_run(session: Session) -> None:
    """Types and top-level await work without a build step."""
    assert "Ada 36\n" == session.execute(programs.TYPESCRIPT, check=True).stdout


def test_a_command_runs_in_a_shell(session: Session) -> None:
    """A command is a line for the shell, and its exit code is a result."""
    result = session.execute(command=programs.COMMAND)
    assert ("from the shell\n", 4, False) == (result.stdout, result.exit_code, result.ok)


def test_stdout_and_stderr_are_separate(session: Session) -> None:
    """Each stream has its own output."""
    result = session.execute(programs.BOTH)
    assert ("to stdout\n", "to stderr\n") == (result.stdout, result.stderr)


def test_text_of_any_script_comes_through(session: Session) -> None:
    """Non-ASCII text and NUL arrive unchanged."""
    assert "é ☃ 😀 \0 end\n" == session.execute(programs.UNICODE).stdout


def test_a_megabyte_of_output_is_complete(session: Session) -> None:
    """No output is cut."""
    assert "0123456789abcdef" * 65536 == session.execute(programs.LARGE).stdout


def test_an_exit_code_is_a_result(session: Session) -> None:
    """Without check a failure is returned."""
    result = session.execute(programs.EXIT_3)
    assert ("before\n", 3, False) == (result.stdout, result.exit_code, result.ok)


def test_check_raises_for_an_exit_code(session: Session) -> None:
    """With check the error contains the result and shows the end of stderr."""
    with pytest.raises(ExecutionFailedError, match="thrown on purpose") as caught:
        session.execute(programs.THROWS, check=True)
    assert caught.value.result is not None
    assert 1 == caught.value.result.exit_code


def test_the_time_limit_ends_an_execution(session: Session) -> None:
    """The output so far is available, and timed_out is set."""
    result = session.execute(programs.SLOW, timeout=1)
    assert ("started\n", 124, True, False) == (
        result.stdout,
        result.exit_code,
        result.timed_out,
        result.ok,
    )
    with pytest.raises(ExecutionTimeoutError):
        session.execute(programs.SLOW, timeout=1, check=True)


def test_env_belongs_to_one_execution(session: Session) -> None:
    """A variable exists only in the execution that sets it."""
    assert "good day\n" == session.execute(programs.GREETS, env={"GREETING": "good day"}).stdout
    assert "no greeting\n" == session.execute(programs.GREETS).stdout


def test_files_are_there_before_the_code_runs(session: Session) -> None:
    """The files of a request are in the workspace, and stay there."""
    result = session.execute(programs.READS, files={"data/in.txt": "brought along"})
    assert "brought along\n" == result.stdout
    assert () == result.files_written
    assert "brought along" == session.files.read("data/in.txt")


def test_files_written_lists_files_of_the_code(session: Session) -> None:
    """New and overwritten files are both listed, by their paths in the workspace."""
    assert ("out/result.txt",) == session.execute(programs.WRITES, check=True).files_written
    assert "written by code" == session.files.read("out/result.txt")
    assert ("out/result.txt",) == session.execute(programs.WRITES, check=True).files_written


def test_working_dir_is_where_the_code_runs(session: Session) -> None:
    """It is relative to the workspace, or absolute inside it, and must exist."""
    session.files.write("deep/er/x.txt", "")
    for path in ("deep", "/workspace/deep"):
        assert "deep\n" == session.execute(programs.FOLDER, working_dir=path).stdout
    for path in ("nowhere", "deep/er/x.txt", "..", "/etc"):
        with pytest.raises(InvalidRequestError) as caught:
            session.execute(programs.FOLDER, working_dir=path)
        assert "invalid_request" == caught.value.code


def test_files_are_written_all_or_none(session: Session) -> None:
    """If one path is outside the workspace, no file is written and nothing runs."""
    with pytest.raises(InvalidRequestError):
        session.execute(programs.WRITES, files={"fine.txt": "fine", "../outside.txt": "outside"})
    assert [] == session.files.list()


def test_a_request_is_a_value(client: Buntime, session: Session) -> None:
    """An ExecuteRequest runs on the client and on a session alike."""
    request = ExecuteRequest(programs.GREETS, env={"GREETING": "hi"})
    assert "hi\n" == session.execute(request).stdout
    assert "hi\n" == client.execute(request, session_id=session.id).stdout


def test_each_thread_gets_its_own_output(client: Buntime) -> None:
    """Concurrent executions in two sessions do not mix their output."""
    with client.sessions.create() as one, client.sessions.create() as other:

        def run(number: int) -> str:
            session = (one, other)[number % 2]
            return session.execute(programs.PRINTS_ARGUMENT, env={"NUMBER": str(number)}).stdout

        with ThreadPoolExecutor(8) as threads:
            outputs = list(threads.map(run, range(24)))
    assert [f"{number}\n" for number in range(24)] == outputs


def test_killing_without_processes(session: Session) -> None:
    """Killing without a running process is not an error."""
    killed = session.kill_all()
    assert (0, ()) == (killed.killed, killed.pids)
    assert 0 == session.kill(2_000_000_000).killed
