"""A pool as an executor of concurrent.futures, and the progress of its runs."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError, Executor, as_completed, wait
from typing import Any, Optional

import pytest

from buntime import Buntime, ExecuteRequest, Outcome, Session, SessionNotFoundError, SessionPool
from buntime.transport import FakeTransport
from tests.support.forks import needs_fork, run_in_fork


@pytest.fixture
def pool() -> Iterator[SessionPool]:
    """Return a pool of two sessions that execute and call anything."""
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=lambda run: run.code or "")
    fake.on_call("(n) => n + 1", handler=lambda n: n + 1)
    with Buntime(transport=fake) as client, SessionPool(client, size=2) as pool:
        yield pool


def _run(session: Session, code: str, suffix: str = "") -> str:
    return session.execute(code + suffix).stdout


def test_functions_get_a_session(pool: SessionPool) -> None:
    """With the other arguments, by the functions of concurrent.futures."""
    with pool.executor() as executor:
        assert isinstance(executor, Executor)
        futures = [executor.submit(_run, name, suffix="!") for name in "abc"]
        assert {"a!", "b!", "c!"} == {future.result() for future in as_completed(futures)}
        assert not wait(futures).not_done
        assert ["x1", "y2"] == list(executor.map(_run, "xy", "12"))
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(_run, "d")
    assert "<SessionPool, 2 of 2 sessions>" >= repr(pool)


def test_an_error_of_a_function_is_that_of_its_future(pool: SessionPool) -> None:
    """And another call gets the session."""

    def fail(_session: Session) -> None:
        raise LookupError("mine")

    with pool.executor() as executor:
        with pytest.raises(LookupError, match="mine"):
            executor.submit(fail).result()
        assert "a" == executor.submit(_run, "a").result()


def test_a_function_is_called_again_if_its_session_had_ended() -> None:
    """As those of ``map``: its only call was refused, so nothing was executed."""
    fake = FakeTransport()
    fake.on_execute("a", stdout="a")
    with Buntime(transport=fake) as client, SessionPool(client, size=1) as pool, pool.executor() as executor:
        pool.warm()
        client.sessions.delete(*fake.sessions)
        assert "a" == executor.submit(_run, "a").result()


def test_calls_that_did_not_begin_are_cancelled(pool: SessionPool) -> None:
    """By ``cancel_futures``; those that run end."""
    begun, end = threading.Semaphore(0), threading.Event()

    def block(_session: Session) -> bool:
        begun.release()
        return end.wait(60)

    executor = pool.executor()
    running = [executor.submit(block) for _ in range(2)]
    for _ in running:
        assert begun.acquire(timeout=60)
    waiting = executor.submit(block)
    executor.shutdown(wait=False, cancel_futures=True)
    assert {waiting} == wait([waiting], 60).done
    end.set()
    assert [True, True] == [future.result() for future in running]
    with pytest.raises(CancelledError):
        waiting.result()


def test_a_closed_pool_has_no_executor(pool: SessionPool) -> None:
    """Nor does one that was made before call anything."""
    executor = pool.executor()
    pool.close()
    with pytest.raises(RuntimeError, match="closed"):
        pool.executor()
    with executor, pytest.raises(RuntimeError, match="closed"):
        executor.submit(_run, "a").result()


def test_the_end_of_the_pool_ends_the_calls(pool: SessionPool) -> None:
    """Those that run, as their sessions are deleted; the others are cancelled."""
    begun = threading.Semaphore(0)

    def run(session: Session) -> None:
        begun.release()
        while True:
            session.execute("1")

    executor = pool.executor()
    running = [executor.submit(run) for _ in range(2)]
    for _ in running:
        assert begun.acquire(timeout=60)
    waiting = executor.submit(run)
    pool.close()
    assert waiting.cancelled()
    assert not wait([*running, waiting], 60).not_done
    for future in running:
        assert isinstance(future.exception(60), SessionNotFoundError)


_PROGRAM = """
import threading
from buntime import Buntime, SessionPool
from buntime.transport import FakeTransport

fake = FakeTransport()
fake.on_execute("1", stdout="1")
begun = threading.Event()

def work(session):
    begun.set()
    while INTERRUPTED:
        session.execute("1")
    print("done", flush=True)

SessionPool(Buntime(transport=fake)).executor().submit(work)
begun.wait()
if INTERRUPTED:
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_end_of_the_program(interrupted: bool) -> None:
    """It waits for the calls, but a Ctrl-C ends them."""
    program = [sys.executable, "-c", f"INTERRUPTED = {interrupted}\n{_PROGRAM}"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert ("" if interrupted else "done\n") == done.stdout
    assert (-signal.SIGINT if interrupted else 0) == done.returncode


@needs_fork
def test_a_forked_process_has_no_executor(pool: SessionPool) -> None:
    """Its threads are those of the parent."""
    with pool.executor() as executor:
        executor.submit(_run, "a").result()
        assert "forked" in run_in_fork(lambda: executor.submit(_run, "b"))


class Bar:
    """Counts the outcomes, as tqdm does."""

    def __init__(self, iterable: Iterable[Any], total: Optional[int] = None) -> None:
        self.iterable, self.total = iterable, total
        self.events: list[Any] = []
        BARS.append(self)

    def __iter__(self) -> Iterator[Any]:
        try:
            for outcome in self.iterable:
                self.events.append(outcome.item)
                yield outcome
        finally:
            self.events.append("end")


BARS: list[Bar] = []


def test_progress_iterates_the_outcomes(pool: SessionPool) -> None:
    """Of each kind of run; the total is the number of items if they have a length."""
    BARS.clear()
    assert ["a", "b"] == [outcome.value for outcome in pool.map(_run, "ab", progress=Bar)]
    assert [2, 3] == [outcome.value for outcome in pool.call("(n) => n + 1", iter([1, 2]), progress=Bar)]
    request = ExecuteRequest("x")
    assert [request] == [outcome.item for outcome in pool.execute([request], progress=Bar)]
    assert [2, None, 1] == [bar.total for bar in BARS]
    assert [["a", "b", "end"], [1, 2, "end"], [request, "end"]] == [bar.events for bar in BARS]


def test_progress_ends_with_the_loop(pool: SessionPool) -> None:
    """If the loop is left, as the run does."""
    BARS.clear()
    outcomes = pool.map(_run, "abc", progress=Bar)
    assert Outcome("a", "a") == next(outcomes)
    outcomes.close()
    assert [["a", "end"]] == [bar.events for bar in BARS]
