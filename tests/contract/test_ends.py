"""What ends while it is running. The fake has nothing that runs, so it is not asked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from buntime import Buntime, Session, SessionNotFoundError
from tests.contract import programs


@pytest.fixture
def running(world: str, client: Buntime) -> Session:
    """Return a session in which code can be left running."""
    if "fake" in world:
        pytest.skip("on a fake every execution is over at once")
    return client.sessions.create(ttl=600)


def test_deleting_a_session_ends_its_executions(client: Buntime, running: Session) -> None:
    """The deletion succeeds, and the caller of the execution gets what there was, as killed."""
    with running.stream(programs.SLOW) as stream:
        assert "started\n" == next(stream).text
        running.delete()
        assert [] == list(stream)
    assert ("started\n", 137, False) == (stream.stdout, stream.result.exit_code, stream.result.timed_out)
    with pytest.raises(SessionNotFoundError):
        client.sessions.info(running.id)


def test_killing_all_ends_an_execution(running: Session) -> None:
    """The call says which processes were ended; the session works on."""
    with running, running.stream(programs.SLOW) as stream:
        next(stream)
        killed = running.kill_all()
        assert [] == list(stream)
        assert killed.killed == len(killed.pids) >= 1
        assert 137 == stream.result.exit_code
        assert "hello\n" == running.execute(programs.HELLO).stdout


def test_killing_one_process_leaves_the_others(running: Session) -> None:
    """Of two executions the one whose process is named ends, and the other goes on."""
    code = "console.log(process.pid); await Bun.sleep(60_000);"
    with running, running.stream(code) as one, running.stream(code) as other:
        pid = int(next(one).text)
        next(other)
        killed = running.kill(pid)
        assert [] == list(one)
        assert ((pid,), 137) == (killed.pids, one.result.exit_code)
        assert 1 == running.info().active_processes


def test_a_process_that_was_left_is_counted_and_killed(running: Session) -> None:
    """It outlives its execution, info counts it, the next execution sees it, and kill ends it."""
    with running:
        left = running.execute(
            command="bun -e 'await Bun.sleep(60000)' >/dev/null 2>&1 & echo $!", check=True
        )
        pid = int(left.stdout)
        assert 1 == running.info().active_processes
        assert running.execute(f"process.kill({pid}, 0)").ok
        assert (pid,) == running.kill(pid).pids
        assert 0 == running.info().active_processes


def test_many_deletions_and_executions_at_once(client: Buntime, running: Session) -> None:
    """Whichever comes first, each caller gets a result or is told that the session is gone."""
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
