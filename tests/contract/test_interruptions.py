"""Deleting and killing during executions. Skipped for fakes, whose executions take no time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from buntime import Buntime, Session, SessionNotFoundError
from tests.contract import programs
from tests.contract.transports import Services


@pytest.fixture(scope="module")
def services(services: Services) -> Services:
    """Return services that run programs."""
    return services.without_fake()


@pytest.fixture
def running(transport_name: str, client: Buntime) -> Session:
    """Return a session in which code can keep running."""
    if "fake" in transport_name:
        pytest.skip("an execution on a fake takes no time")
    return client.sessions.create(ttl=600)


def test_deleting_a_session_ends_its_executions(client: Buntime, running: Session) -> None:
    """The deletion succeeds, and the caller of the execution gets the output so far, as killed."""
    with running.stream(programs.SLOW) as stream:
        assert "started\n" == next(stream).text
        running.delete()
        assert [] == list(stream)
    assert ("started\n", 137, False) == (stream.stdout, stream.result.exit_code, stream.result.timed_out)
    with pytest.raises(SessionNotFoundError):
        client.sessions.info(running.id)


def test_killing_all_ends_an_execution(running: Session) -> None:
    """The result lists the killed processes; the session remains usable."""
    with running, running.stream(programs.SLOW) as stream:
        next(stream)
        killed = running.kill_all()
        assert [] == list(stream)
        assert killed.killed == len(killed.pids) >= 1
        assert 137 == stream.result.exit_code
        assert "hello\n" == running.execute(programs.HELLO).stdout


def test_killing_one_process_leaves_the_others(running: Session) -> None:
    """Of two executions, the one whose process is killed ends, and the other continues."""
    code = "console.log(process.pid); await Bun.sleep(60_000);"
    with running, running.stream(code) as one, running.stream(code) as other:
        pid = int(next(one).text)
        next(other)
        killed = running.kill(pid)
        assert [] == list(one)
        assert ((pid,), 137) == (killed.pids, one.result.exit_code)
        assert 1 == running.info().active_processes


def test_a_background_process_is_counted_and_killed(running: Session) -> None:
    """A background process outlives its execution, is counted and visible, and can be killed."""
    with running:
        started = running.execute(
            command="bun -e 'await Bun.sleep(60000)' >/dev/null 2>&1 & echo $!", check=True
        )
        pid = int(started.stdout)
        assert 1 == running.info().active_processes
        assert running.execute(f"process.kill({pid}, 0)").ok
        assert (pid,) == running.kill(pid).pids
        assert 0 == running.info().active_processes


def test_concurrent_deletions_and_executions(client: Buntime, running: Session) -> None:
    """In any order, each caller gets a result or SessionNotFoundError."""
    with running:
        sessions = [client.sessions.create(ttl=600) for _ in range(4)]

        def run(session: Session) -> object:
            try:
                return session.execute(programs.HELLO).exit_code
            except SessionNotFoundError:
                return "gone"

        with ThreadPoolExecutor(12) as threads:
            outcomes = [threads.submit(run, session) for session in sessions for _ in range(2)]
            for session in sessions:
                threads.submit(session.delete)
        assert {outcome.result() for outcome in outcomes} <= {0, 137, "gone"}
