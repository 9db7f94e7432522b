"""Locks in forked children."""

from __future__ import annotations

import gc
import queue
import threading
import weakref
from typing import Any, Callable

import pytest

from buntime._support.forks import reset_after_fork
from tests.support.forks import hold_locks, needs_fork, run_in_fork

LOCKS: list[Callable[[], Any]] = [threading.Lock, threading.RLock, threading.Condition]


def _acquire(lock: Any) -> str:
    with lock:
        return "acquired"


@needs_fork
@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_is_free_in_a_child(kind: Callable[[], Any]) -> None:
    """The child can acquire it even if the parent holds it; the parent still does."""
    lock = reset_after_fork(kind())
    with hold_locks(lock):
        assert "acquired" == run_in_fork(lambda: _acquire(lock))
        assert not lock.acquire(blocking=False)
    assert "acquired" == _acquire(lock)


def test_a_lock_is_not_referenced() -> None:
    """It is freed with its owner."""
    lock = reset_after_fork(threading.Lock())
    alive = weakref.ref(lock)
    del lock
    gc.collect()
    assert alive() is None


@needs_fork
def test_any_object_can_be_reset() -> None:
    """Its `_at_fork_reinit`, the method of locks, is called in the child only."""
    resets: queue.SimpleQueue[int] = queue.SimpleQueue()

    class Resettable:
        def _at_fork_reinit(self) -> None:
            resets.put(1)

    resettable = reset_after_fork(Resettable())
    assert "1" == run_in_fork(resets.qsize)
    assert resets.empty()
    del resettable
