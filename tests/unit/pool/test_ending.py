"""How a pool ends: with its block, on Ctrl-C, with an abandoned loop, in a fork, with the program."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Callable

import pytest

from buntime import APIConnectionError, Buntime, Outcome, ServerError, Session, SessionPool
from buntime.transport import FakeTransport, Response
from tests.support import responses
from tests.support.blocking_service import BlockingService
from tests.support.forks import needs_fork, run_in_fork
from tests.support.scripted import lost


@pytest.fixture
def service() -> BlockingService:
    """Return a service whose executions can block."""
    return BlockingService()


@pytest.fixture
def client(service: BlockingService) -> Iterator[Buntime]:
    """Return a client of the service that does not retry."""
    with Buntime(transport=service.transport, max_retries=0, retry_delay=0) as client:
        yield client


def _run(session: Session, code: str) -> str:
    return session.execute(code).stdout


def _pool_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("buntime-pool")]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="a signal is sent to the main thread")
def test_ctrl_c_ends_everything(service: BlockingService, client: Buntime) -> None:
    """Running items are ended, others never start, threads and sessions are gone; it is raised again."""

    def interrupt() -> None:
        service.wait_until_blocked(3)
        signal.pthread_kill(main, signal.SIGINT)

    main = threading.main_thread().ident or 0
    # SIGINT is ignored if the tests run in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    pool = SessionPool(client, size=4)
    pool.warm()
    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(pool.map(_run, ["hold 1", "hold 2", "hold 3"]))
    thread.join()
    signal.signal(signal.SIGINT, before)
    assert [] == _pool_threads()
    assert set() == service.open
    assert ["hold 1", "hold 2", "hold 3"] == sorted(service.codes)
    assert ["a"] == [outcome.value for outcome in pool.map(_run, "a")]
    pool.close()
    assert set() == service.open


def test_an_interrupt_while_items_are_read(service: BlockingService, client: Buntime) -> None:
    """The interrupted thread reads the items, so all ends; items that wait for a session never start."""

    def items() -> Iterator[str]:
        yield from ("hold 1", "hold 2")
        service.wait_until_blocked(2)
        yield from ("never 1", "never 2")
        service.wait_for(lambda: 3 == service.responded.count("POST /sessions/create"))
        raise KeyboardInterrupt

    service.plan = 2
    with SessionPool(client, size=3) as pool:
        with pytest.raises(KeyboardInterrupt):
            list(pool.map(_run, items()))
        assert [] == _pool_threads()
        assert set() == service.open
    assert {"hold 1", "hold 2"} == set(service.codes)


def test_an_interrupted_item_is_not_run_again(service: BlockingService, client: Buntime) -> None:
    """Its session is gone because the pool deleted it."""

    def poll(session: Session, code: str) -> str:
        blocked.set()
        service.wait_for(lambda: session.id not in service.open)
        return _run(session, code)

    def items() -> Iterator[str]:
        yield "a"
        assert blocked.wait(30)
        raise KeyboardInterrupt

    blocked = threading.Event()
    with SessionPool(client, size=1) as pool:
        pool.warm()
        with pytest.raises(KeyboardInterrupt):
            list(pool.map(poll, items()))
    assert [("ses_1", "a")] == service.executed


def test_a_session_created_after_an_interrupt_is_deleted(service: BlockingService, client: Buntime) -> None:
    """No item starts in it."""
    requested, may_create = threading.Event(), threading.Event()

    def create() -> Response:
        requested.set()
        assert may_create.wait(30)
        return service._create()

    def items() -> Iterator[str]:
        yield "a"
        assert requested.wait(30)
        raise KeyboardInterrupt

    def proceed() -> None:
        assert requested.wait(30)
        (run,) = pool._registry._work
        assert run.stopping.wait(30)
        may_create.set()

    service.respond_next("POST /sessions/create", create)
    pool = SessionPool(client, size=1)
    thread = threading.Thread(target=proceed)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        list(pool.map(_run, items()))
    thread.join()
    assert (["ses_1"], set(), []) == (service.created, service.open, service.executed)
    pool.close()


def test_closing_waits_for_a_session_in_creation(service: BlockingService, client: Buntime) -> None:
    """The thread that creates the session deletes it and gets none; no session is left when close returns."""
    requested, may_create, closed = threading.Event(), threading.Event(), threading.Event()
    messages: list[str] = []

    def create() -> Response:
        requested.set()
        assert may_create.wait(30)
        return service._create()

    def delete() -> Response:
        assert not closed.wait(0.05)
        service.end("ses_1")
        return responses.as_json(responses.DELETED)

    def proceed() -> None:
        assert pool._registry.closing.wait(30)
        may_create.set()

    service.respond_next("POST /sessions/create", create)
    service.respond_next("DELETE /sessions/ses_1", delete)
    pool = SessionPool(client, size=1)
    threads = [
        threading.Thread(target=lambda: messages.append(_error_message(pool.session().__enter__))),
        threading.Thread(target=proceed),
    ]
    for thread in threads:
        thread.start()
    assert requested.wait(30)
    pool.close()
    closed.set()
    assert (["ses_1"], set()) == (service.created, service.open)
    for thread in threads:
        thread.join()
    assert ["the pool is closed"] == messages


def test_outcomes_that_are_not_read(service: BlockingService, client: Buntime) -> None:
    """Leaving the loop ends running items and starts no others; idle sessions stay for the next call."""
    with SessionPool(client, size=2) as pool:
        for _ in pool.map(_run, ["hold", "a", "b", "c", "d"], ordered=False):
            service.wait_until_blocked(1)
            break
        assert [] == _pool_threads()
        assert 1 >= len(service.open)
        assert {"hold"} < set(service.codes)
        assert ["e"] == [outcome.value for outcome in pool.map(_run, "e")]


def test_leaving_a_loop_ends_no_other_work(service: BlockingService, client: Buntime) -> None:
    """Neither the items of another call nor a block that borrowed a session."""

    def exit_code(session: Session, code: str) -> int | None:
        return session.execute(code).exit_code

    with SessionPool(client, size=4) as pool, pool.session() as borrowed:
        others = pool.map(exit_code, ["a", "hold other"])
        assert 0 == next(others).value
        service.wait_until_blocked(1)
        for _ in pool.map(exit_code, ["b", "hold"], ordered=False):
            service.wait_until_blocked(2)
            break
        assert borrowed.id in service.open
        service.release()
        assert [0] == [outcome.value for outcome in others]


def test_a_function_that_does_not_notice_its_deleted_session(
    service: BlockingService, client: Buntime
) -> None:
    """It returns while its session is being deleted; no later item gets that session."""
    begun, returned = threading.Event(), threading.Event()

    def items() -> Iterator[str]:
        yield "patient"
        assert begun.wait(30)
        yield "b"

    def wait_for_deletion(session: Session, code: str) -> str:
        if code == "patient":
            begun.set()
            service.wait_for(lambda: session.id not in service.open)
            returned.set()
        return session.id

    def delete() -> Response:
        service.end("ses_1")
        assert returned.wait(30)
        # Long enough to return the session; if it is not returned, the test passes all the same.
        threading.Event().wait(0.05)
        return responses.as_json(responses.DELETED)

    service.respond_next("DELETE /sessions/ses_1", delete)
    with SessionPool(client, size=2) as pool:
        pool.warm(1)
        outcomes = pool.map(wait_for_deletion, items(), ordered=False)
        assert "ses_2" == next(outcomes).value
        outcomes.close()
        assert ["ses_2"] == [outcome.value for outcome in pool.map(wait_for_deletion, "c")]
        with pool.session() as one, pool.session() as two:
            assert {"ses_2", "ses_3"} == {one.id, two.id}


def test_an_error_in_the_loop_is_raised_unchanged(service: BlockingService, client: Buntime) -> None:
    """The pool is clean afterwards."""

    def loop(pool: SessionPool) -> None:
        for _ in pool.map(_run, ["a", "hold"], ordered=False):
            raise ZeroDivisionError

    with SessionPool(client, size=2) as pool, pytest.raises(ZeroDivisionError):
        loop(pool)
    assert set() == service.open
    assert [] == _pool_threads()


def test_leaving_the_block_ends_a_call_in_progress(service: BlockingService, client: Buntime) -> None:
    """Reading more outcomes is an error; so is a new call. Closing again does nothing."""
    with SessionPool(client, size=2) as pool:
        outcomes = pool.map(_run, ["a", "hold"])
        assert "a" == next(outcomes).value
    assert [] == _pool_threads()
    assert set() == service.open
    attempts: list[Callable[[], object]] = [
        lambda: next(outcomes),
        lambda: pool.map(_run, []),
        pool.warm,
        pool.session().__enter__,
    ]
    for attempt in attempts:
        with pytest.raises(RuntimeError, match="the pool is closed"):
            attempt()
    assert "<SessionPool, 0 of 2 sessions>" == repr(pool)
    calls = list(service.calls)
    pool.close()
    assert calls == service.calls


def test_closing_from_another_thread(service: BlockingService, client: Buntime) -> None:
    """Each thread that waits for an outcome or a session gets an error."""
    pool = SessionPool(client, size=1)

    def close() -> None:
        service.wait_until_blocked(1)
        pool.close()

    thread = threading.Thread(target=close)
    thread.start()
    with pytest.raises(RuntimeError, match="the pool is closed"):
        list(pool.map(_run, ["hold", "never"]))
    thread.join()
    assert ["hold"] == service.codes
    assert set() == service.open


def test_an_item_without_a_session_after_closing(service: BlockingService, client: Buntime) -> None:
    """The missing session is not an error of the item: the call has ended."""

    def closing(_session: Session, item: str) -> str:
        (run,) = pool._registry._work
        run.stopping.set()
        return item

    outcomes: list[Outcome[str, str]] = []
    pool = SessionPool(client, size=1)
    with pytest.raises(RuntimeError, match="the pool is closed"):
        outcomes.extend(pool.map(closing, "ab"))
    assert all(outcome.ok for outcome in outcomes)
    pool.close()


def test_closing_from_an_item(service: BlockingService, client: Buntime) -> None:
    """It waits for all threads but the current one."""
    pool = SessionPool(client, size=2)

    def close(_session: Session, item: str) -> None:
        pool.close()
        closed.append(item)

    closed: list[str] = []
    with pytest.raises(RuntimeError, match="the pool is closed"):
        list(pool.map(close, "a"))
    assert ["a"] == closed
    assert [] == _pool_threads()
    assert set() == service.open


def test_a_borrowed_session_is_deleted_too(service: BlockingService, client: Buntime) -> None:
    """Closing the pool does not wait for the block that uses the session."""
    pool = SessionPool(client)
    with pool.session() as session:
        pool.close()
        assert session.id not in service.open
    assert 1 == service.calls.count(f"DELETE /sessions/{session.id}")


def test_a_session_is_deleted_once(service: BlockingService, client: Buntime) -> None:
    """Its item ends while the pool is being closed, and returns a session that is already being deleted."""
    pool = SessionPool(client, size=1)
    begun, returned = threading.Event(), threading.Event()

    def work(session: Session, code: str) -> str:
        begun.set()
        service.wait_for(lambda: f"DELETE /sessions/{session.id}" in service.calls)
        returned.set()
        return code

    def delete() -> Response:
        assert returned.wait(30)
        # Long enough to return the session; if it is not returned, the test passes all the same.
        threading.Event().wait(0.05)
        service.end("ses_1")
        return responses.as_json(responses.DELETED)

    def close() -> None:
        assert begun.wait(30)
        pool.close()

    service.respond_next("DELETE /sessions/ses_1", delete)
    closer = threading.Thread(target=close)
    outcomes = pool.map(work, "a")
    closer.start()
    with pytest.raises(RuntimeError, match="the pool is closed"):
        next(outcomes)
    closer.join()
    assert 1 == service.calls.count("DELETE /sessions/ses_1")


def test_a_session_that_cannot_be_deleted(
    service: BlockingService, client: Buntime, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are deleted, the error is raised and logged; closing again retries, then does nothing."""
    pool = SessionPool(client, size=3)
    pool.warm()
    service.respond_next("DELETE /sessions/ses_2", *[lambda: responses.error(500, "oops")] * 3)
    with pytest.raises(ServerError, match="ses_2"):
        pool.close()
    assert {"ses_2"} == service.open
    assert 1 == sum("ses_2 was not deleted" in record.message for record in caplog.records)
    pool.close()
    assert set() == service.open
    pool.close()


def test_a_broken_session_that_cannot_be_deleted(service: BlockingService, client: Buntime) -> None:
    """The deletion is repeated when the pool is closed; until then another session can take its slot."""

    def drop() -> Response:
        raise lost("read")

    service.respond_next("POST /execute", drop)
    service.respond_next("DELETE /sessions/ses_1", drop, drop, drop)
    with SessionPool(client, size=1) as pool:
        one, two = pool.map(_run, "ab")
        assert isinstance(one.error, APIConnectionError)
        assert "b" == two.value
        assert {"ses_1", "ses_2"} == service.open
    assert set() == service.open


def test_an_error_of_the_block_is_not_masked(
    service: BlockingService, client: Buntime, caplog: pytest.LogCaptureFixture
) -> None:
    """If the pool cannot be closed, that is logged."""
    service.respond_next("DELETE /sessions/ses_1", *[lambda: responses.error(500, "oops")] * 3)
    pool = SessionPool(client)
    pool.warm(1)
    with pytest.raises(ZeroDivisionError), pool:
        raise ZeroDivisionError
    assert any("the pool was not closed" in record.message for record in caplog.records)
    pool.close()


def test_sessions_are_deleted_concurrently(service: BlockingService, client: Buntime) -> None:
    """All deletions wait for each other, so sequential ones would never finish."""
    together = threading.Barrier(3)

    def delete() -> Response:
        together.wait(30)
        return responses.as_json(responses.DELETED)

    for number in range(3):
        service.respond_next(f"DELETE /sessions/ses_{number + 1}", delete)
    with SessionPool(client, size=3) as pool:
        pool.warm()


@needs_fork
def test_a_forked_child_ends_nothing_of_its_parent() -> None:
    """Leaving blocks there deletes only sessions of the child; a call of the parent does not continue."""
    fake = FakeTransport()
    fake.on_execute(lambda _: True, handler=lambda execution: execution.code)

    def leave() -> str:
        message = _error_message(lambda: next(outcomes))
        outcomes.close()
        borrowed.__exit__(None, None, None)
        values = [outcome.value for outcome in later]
        created = len(fake.sessions) - len(before)
        pool.close()
        return f"{message}; {values} in {created}; {before == [*fake.sessions]}"

    with Buntime(transport=fake) as client, SessionPool(client, size=2) as pool:
        outcomes, later = pool.map(_run, ["a"]), pool.map(_run, ["b"])
        assert "a" == next(outcomes).value
        borrowed = pool.session()
        with borrowed:
            before = [*fake.sessions]
            report = run_in_fork(leave)
        assert [] == list(outcomes)
        assert before == [*fake.sessions]
    assert (
        "this call of a pool continues in the process that began it, not in a fork of it; ['b'] in 1; True"
        == report
    )


@needs_fork
def test_a_call_in_progress_is_not_ended_by_a_fork(service: BlockingService, client: Buntime) -> None:
    """Running items belong to the parent, and still run after the child has left the loop."""

    def leave() -> str:
        message = _error_message(lambda: next(outcomes))
        outcomes.close()
        return f"{message}; {len(service.open)}"

    with SessionPool(client, size=2) as pool:
        outcomes = pool.map(_run, ["hold", "a"], ordered=False)
        assert "a" == next(outcomes).value
        service.wait_until_blocked(1)
        opened = len(service.open)
        report = run_in_fork(leave)
        service.release()
        assert ["hold"] == [outcome.value for outcome in outcomes]
    assert f"in the process that began it, not in a fork of it; {opened}" in report


@needs_fork
def test_a_closed_pool_is_closed_in_a_fork_too(service: BlockingService, client: Buntime) -> None:
    """A child cannot reopen it."""
    pool = SessionPool(client)
    pool.close()
    assert "the pool is closed" == run_in_fork(lambda: _error_message(pool.warm))


def _error_message(call: Callable[[], object]) -> str:
    try:
        return f"{call()}"
    except RuntimeError as error:
        return f"{error}"


_PROGRAM = """
import threading
from buntime import Buntime, SessionPool
from buntime.transport import FakeTransport

class Watched(FakeTransport):
    def send(self, request):
        if request.method == "DELETE":
            print(request.method, request.path, flush=True)
        return super().send(request)

fake = Watched()
fake.on_execute(lambda _: True, handler=lambda execution: execution.code)
client = Buntime(transport=fake)
pool = SessionPool(client, size=3)
hangs = threading.Event()
others = threading.Barrier(2)

def work(session, item):
    if item == "hang":
        hangs.set()
        threading.Event().wait()
    others.wait()  # in a session each
    return session.execute(item).stdout

outcomes = pool.map(work, ["hang", "a", "b"], ordered=False)
print(next(outcomes).value, next(outcomes).value)
hangs.wait()
"""


@pytest.mark.parametrize("end", ["", "del pool", "raise SystemExit(3)"])
def test_a_program_that_closes_nothing_exits(end: str) -> None:
    """Its sessions are deleted all the same; a function that hangs is not waited for."""
    done = subprocess.run(
        [sys.executable, "-c", f"{_PROGRAM}\n{end}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (3 if end.startswith("raise") else 0, "") == (done.returncode, done.stderr)
    first, *deleted = done.stdout.splitlines()
    assert {"a", "b"} == set(first.split())
    assert len(deleted) in {2, 3}
    assert len(deleted) == len(set(deleted))
