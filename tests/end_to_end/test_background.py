"""Background processes on a real Bun: what only a real one shows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime import Buntime, ResourceLimits, Session
from buntime.transport import LocalTransport, Request, Response

WAITS = "while [ ! -e go ]; do sleep 0.01; done; "


class _Counting:
    """A transport that counts."""

    def __init__(self, inner: LocalTransport) -> None:
        self.count = 0
        self._inner = inner

    def send(self, request: Request, /) -> Response:
        self.count += 1
        return self._inner.send(request)

    def close(self) -> None:
        self._inner.close()


@pytest.fixture(params=["required", "none"])
def transport(request: pytest.FixtureRequest) -> _Counting:
    """Return a transport of this machine."""
    return _Counting(LocalTransport(isolation=request.param))


@pytest.fixture
def session(transport: _Counting) -> Iterator[Session]:
    """Return a session of it."""
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as made:
        yield made


def test_frequent_output_takes_few_calls(session: Session, transport: _Counting) -> None:
    """Lines that come one after the other are gathered, so that a plan's rate is not used up."""
    process = session.start("for (let n = 0; n < 60; n++) { console.log(n); await Bun.sleep(20); }")
    before = transport.count
    text = "".join(event.text for event in process.follow())
    assert "".join(f"{number}\n" for number in range(60)) == text
    assert transport.count - before < 10


def test_a_process_outlives_the_time_limit_of_what_started_it(transport: _Counting) -> None:
    """And that of any execution meanwhile."""
    client = Buntime(transport=transport, max_retries=0)
    with client, client.sessions.create(resource_limits=ResourceLimits(timeout=1)) as session:
        process = session.start(command=WAITS + "echo went on")
        assert session.execute("await Bun.sleep(10_000)").timed_out
        session.files.write("go", "")
        assert (0, "went on\n") == (process.wait(20), process.logs().stdout)


def test_a_dotenv_file_is_not_given_to_a_command(session: Session) -> None:
    """Bun reads it for its own programs; a shell command is started as an execution starts it."""
    session.files.write(".env", "FROM_FILE=yes")
    command = 'echo "[$FROM_FILE] [$GIVEN] [$PWD]"'
    process = session.start(command=command, env={"GIVEN": "a=b\nc"}, working_dir=".")
    process.wait(20)
    assert session.execute(command=command, env={"GIVEN": "a=b\nc"}).stdout == process.logs().stdout


def test_code_of_any_size_runs_and_is_not_kept(session: Session) -> None:
    """It leaves no file but what the process wrote."""
    code = f"// {'x' * 1_000_000}\nimport {{ one }} from './one.ts'; console.log(one as number);"
    session.files.write("one.ts", "export const one = 1;")
    process = session.start(code)
    assert (0, "1\n") == (process.wait(20), process.logs().stdout)
    assert 0 == session.start("").wait(20)
    kept = session.execute(command="ls .buntime/processes/1", check=True).stdout.split()
    assert ["exit", "state", "stderr", "stdout"] == kept


def test_bytes_that_are_no_text_are_replaced(session: Session) -> None:
    """Each by U+FFFD, a character cut by the end of the output too; the offsets count bytes."""
    process = session.start("process.stdout.write(Buffer.from([65, 0xff, 66, 0xe2, 0x98]))")
    process.wait(20)
    assert ("A\ufffdB\ufffd", 5) == (process.logs().stdout, process.logs().stdout_offset)


def test_a_signal_is_told_by_the_exit_code(session: Session) -> None:
    """As a shell tells it."""
    assert 128 + 15 == session.start(command="kill -TERM $$").wait(20)


def test_what_a_process_leaves_in_its_group_is_killed_after_its_end(session: Session) -> None:
    """Its exit code stays."""
    process = session.start(command="sleep 1000 & exit 5")
    assert 5 == process.wait(20)
    assert session.info().active_processes
    process.kill()
    assert (5, 0) == (process.exit_code, session.info().active_processes)


def test_a_pid_is_the_sessions_own(session: Session) -> None:
    """The process is known by it in the session, and can be killed by it."""
    process = session.start(command="echo $$; exec sleep 1000")
    assert f"{process.pid}\n" == next(process.follow()).text
    assert (process.pid,) == session.kill(process.pid).pids
    assert 137 == process.wait(20)


def test_output_after_the_last_look_is_not_lost(session: Session) -> None:
    """What is written right before the end comes, however often it is looked."""
    for number in range(5):
        process = session.start(f"process.stdout.write('x'.repeat(300_000) + {number}); process.exit(0)")
        assert f"x{number}" == "".join(event.text for event in process.follow())[-2:]
