"""Work through items in threads, without sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from buntime import Outcome
from buntime.pool.workers import BoundedMap, run_concurrently

_TIMEOUT = 30.0


def _limit_threads(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Let the system start `room` more threads."""
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        nonlocal room
        if room == 0:
            raise RuntimeError("can't start new thread")
        room -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)


def test_slow_items_do_not_delay_results(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that is ready is yielded before the next item is awaited."""
    second_begun = threading.Event()

    def work(item: int) -> str:
        if item == 2:
            second_begun.set()
        return str(item)

    def items() -> Iterator[int]:
        yield 1
        yield 2
        # The only thread works in order, so the result of 1 is ready.
        assert second_begun.wait(_TIMEOUT)
        yield 3
        pytest.fail("the result of 1 was ready")

    _limit_threads(monkeypatch, 1)
    running = BoundedMap(4, ordered=True)
    assert Outcome(1, "1") == next(running.outcomes(work, items()))
    running.stop()
    running.join()


def test_no_item_starts_after_stop() -> None:
    """Waiting items are dropped, work in progress ends first, and requesting more is an error."""
    begun, go = threading.Event(), threading.Event()
    worked: list[int] = []

    def work(item: int) -> int:
        begun.set()
        go.wait(_TIMEOUT)
        worked.append(item)
        return item

    running = BoundedMap(1, ordered=True)

    def stop() -> None:
        begun.wait(_TIMEOUT)
        running.stop()
        go.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(RuntimeError, match="closed"):
        list(running.outcomes(work, iter(range(10))))
    stopper.join()
    running.join()
    assert [0] == worked


def test_without_threads_the_caller_works() -> None:
    """It processes one item after another, each when its result is requested."""
    read: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            read.append(number)
            yield number

    running = BoundedMap(0, ordered=False)
    outcomes = running.outcomes(lambda _: threading.current_thread().name, items())
    assert threading.current_thread().name == next(outcomes).value
    assert [0] == read
    assert 2 == len(list(outcomes))


def test_fewer_threads_than_requested_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the system cannot start more; if it can start none, the caller's thread does the work."""
    _limit_threads(monkeypatch, 1)
    for _ in range(2):
        running = BoundedMap(4, ordered=True)
        outcomes = running.outcomes(str, iter(range(20)))
        assert [Outcome(number, str(number)) for number in range(20)] == list(outcomes)
        running.stop()
        running.join()


def test_functions_run_concurrently() -> None:
    """They all wait for each other; without threads they run one after another, in the caller's thread."""
    together = threading.Barrier(3)
    names: list[str] = []
    run_concurrently(lambda _: together.wait(_TIMEOUT), range(3), threaded=True)
    run_concurrently(lambda _: names.append(threading.current_thread().name), range(3), threaded=False)
    assert [threading.current_thread().name] * 3 == names


@pytest.mark.parametrize("room", [0, 1, 2])
def test_all_items_are_processed_if_threads_cannot_start(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    """Each is processed once, as at interpreter exit: by the threads that started, or by the caller's."""
    done: list[int] = []
    _limit_threads(monkeypatch, room)
    run_concurrently(done.append, range(3), threaded=True)
    assert [0, 1, 2] == sorted(done)
