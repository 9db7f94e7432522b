"""Background processes on a real Bun: behaviour that a model cannot show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime import Buntime, ResourceLimits, Session
from buntime.transport import LocalTransport, Request, Response

WAITS = "while [ ! -e go ]; do sleep 0.01; done; "


class _CountingTransport:
    """A transport that counts requests."""

    def __init__(self, inner: LocalTransport) -> None:
        self.count = 0
        self._inner = inner

    def send(self, request: Request, /) -> Response:
        self.count += 1
        return self._inner.send(request)

    def close(self) -> None:
        self._inner.close()


@pytest.fixture(params=["required", "none"])
def transport(request: pytest.FixtureRequest) -> _CountingTransport:
    """Return a transport of this machine."""
    return _CountingTransport(LocalTransport(isolation=request.param))


@pytest.fixture
def session(transport: _CountingTransport) -> Iterator[Session]:
    """Return a session of the transport."""
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        yield session


def test_frequent_output_takes_few_calls(session: Session, transport: _CountingTransport) -> None:
    """Consecutive lines are delivered in batches, so that polling stays within the plan's rate limit."""
    process = session.start("for (let n = 0; n < 60; n++) { console.log(n); await Bun.sleep(20); }")
    before = transport.count
    text = "".join(event.text for event in process.follow())
    assert "".join(f"{number}\n" for number in range(60)) == text
    assert transport.count - before < 10


def test_a_process_outlives_the_time_limits_of_executions(transport: _CountingTransport) -> None:
    """Neither the time limit of the starting execution nor that of a later one ends the process."""
    client = Buntime(transport=transport, max_retries=0)
    with client, client.sessions.create(resource_limits=ResourceLimits(timeout=1)) as session:
        process = session.start(command=WAITS + "echo went on")
        assert session.execute("await Bun.sleep(10_000)").timed_out
        session.files.write("go", "")
        assert (0, "went on\n") == (process.wait(20), process.logs().stdout)


def test_a_command_does_not_read_a_dotenv_file(session: Session) -> None:
    """Bun reads ``.env`` for its own programs; a shell command starts as in an execution."""
    session.files.write(".env", "FROM_FILE=yes")
    command = 'echo "[$FROM_FILE] [$GIVEN] [$PWD]"'
    process = session.start(command=command, env={"GIVEN": "a=b\nc"}, working_dir=".")
    process.wait(20)
    assert session.execute(command=command, env={"GIVEN": "a=b\nc"}).stdout == process.logs().stdout


def test_code_of_any_size_runs_and_is_not_stored(session: Session) -> None:
    """The code is not stored: only the files of the process remain."""
    code = f"// {'x' * 1_000_000}\nimport {{ one }} from './one.ts'; console.log(one as number);"
    session.files.write("one.ts", "export const one = 1;")
    process = session.start(code)
    assert (0, "1\n") == (process.wait(20), process.logs().stdout)
    assert 0 == session.start("").wait(20)
    names = session.execute(command="ls .buntime/processes/1", check=True).stdout.split()
    assert ["exit", "state", "stderr", "stdout"] == names


def test_invalid_bytes_are_replaced(session: Session) -> None:
    """Each invalid byte becomes U+FFFD, even in a character cut by the end; offsets count bytes."""
    process = session.start("process.stdout.write(Buffer.from([65, 0xff, 66, 0xe2, 0x98]))")
    process.wait(20)
    assert ("A\ufffdB\ufffd", 5) == (process.logs().stdout, process.logs().stdout_offset)


def test_a_signal_sets_the_exit_code(session: Session) -> None:
    """The exit code of a killed process follows the shell's convention."""
    assert 128 + 15 == session.start(command="kill -TERM $$").wait(20)


def test_killing_a_finished_process_ends_its_group(session: Session) -> None:
    """Killing a finished process ends the rest of its group and keeps its exit code."""
    process = session.start(command="sleep 1000 & exit 5")
    assert 5 == process.wait(20)
    assert session.info().active_processes
    process.kill()
    assert (5, 0) == (process.exit_code, session.info().active_processes)


def test_a_pid_is_that_of_the_session(session: Session) -> None:
    """The pid identifies the process inside the session, and ``kill`` accepts it."""
    process = session.start(command="echo $$; exec sleep 1000")
    assert f"{process.pid}\n" == next(process.follow()).text
    assert (process.pid,) == session.kill(process.pid).pids
    assert 137 == process.wait(20)


def test_output_after_the_last_poll_is_not_lost(session: Session) -> None:
    """Output written right before the exit is delivered, however often the process was polled."""
    for number in range(5):
        process = session.start(f"process.stdout.write('x'.repeat(300_000) + {number}); process.exit(0)")
        assert f"x{number}" == "".join(event.text for event in process.follow())[-2:]
