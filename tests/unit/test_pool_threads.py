"""Working through items with threads, apart from sessions."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from buntime._pool_threads import Run, at_once

_PATIENCE = 30.0


def test_items_that_take_long_hold_no_result_back() -> None:
    """A result that is there is yielded before another item is waited for."""

    def items() -> Iterator[int]:
        yield 1
        with run._lock:
            assert run._work_ended.wait_for(run._ready, _PATIENCE)
        yield 2
        pytest.fail("the result of 1 was there")

    run: Run[int, str] = Run(str, items(), threading.Event(), threads=4, ordered=True)
    results = run.results()
    assert "1" == next(results)
    run.stop()
    run.join()


def test_stopping_begins_nothing_more() -> None:
    """What waits is dropped; what is at work ends first; asking for more is an error."""
    begun, go = threading.Event(), threading.Event()
    worked: list[int] = []

    def work(item: int) -> int:
        begun.set()
        go.wait(_PATIENCE)
        worked.append(item)
        return item

    run: Run[int, int] = Run(work, iter(range(10)), threading.Event(), threads=1, ordered=True)

    def stop() -> None:
        begun.wait(_PATIENCE)
        run.stop()
        go.set()

    stopper = threading.Thread(target=stop)
    stopper.start()
    with pytest.raises(RuntimeError, match="closed"):
        list(run.results())
    stopper.join()
    run.join()
    assert [0] == worked


def test_with_no_threads_the_caller_works() -> None:
    """One item after another, each when its result is asked for."""
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(3):
            taken.append(number)
            yield number

    run: Run[int, str] = Run(
        lambda _: threading.current_thread().name, items(), threading.Event(), threads=0, ordered=False
    )
    results = run.results()
    assert threading.current_thread().name == next(results)
    assert [0] == taken
    assert 2 == len(list(results))


def test_fewer_threads_than_wanted_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no room for more; with none at all there is an error."""
    start = threading.Thread.start
    room = 1

    def limited(thread: threading.Thread) -> None:
        nonlocal room
        if room == 0:
            raise RuntimeError("can't start new thread")
        room -= 1
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", limited)
    found: list[list[str]] = []
    for _ in range(2):
        run: Run[int, str] = Run(str, iter(range(20)), threading.Event(), threads=4, ordered=True)
        try:
            found.append(list(run.results()))
        except RuntimeError as error:
            found.append([str(error)])
        run.stop()
        run.join()
    assert [[str(number) for number in range(20)], ["can't start new thread"]] == found


def test_at_once_is_at_the_same_time() -> None:
    """All wait for each other; without threads they come one after another, here."""
    together = threading.Barrier(3)
    names: list[str] = []
    at_once(lambda _: together.wait(_PATIENCE), range(3), threaded=True)
    at_once(lambda _: names.append(threading.current_thread().name), range(3), threaded=False)
    assert [threading.current_thread().name] * 3 == names


def test_at_once_where_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of a program: the rest is done here."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    done: list[int] = []
    monkeypatch.setattr(threading.Thread, "start", refuse)
    at_once(done.append, range(3), threaded=True)
    assert [0, 1, 2] == done
