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


def _taken(lock: Any) -> str:
    with lock:
        return "taken"


@needs_fork
@pytest.mark.parametrize("kind", LOCKS)
def test_a_lock_is_free_in_a_child(kind: Callable[[], Any]) -> None:
    """Whoever held it, and it still is held by that one in the parent."""
    lock = reset_after_fork(kind())
    with hold_locks(lock):
        assert "taken" == run_in_fork(lambda: _taken(lock))
        assert not lock.acquire(blocking=False)
    assert "taken" == _taken(lock)


def test_a_lock_is_not_kept() -> None:
    """It goes with what it belonged to."""
    lock = reset_after_fork(threading.Lock())
    alive = weakref.ref(lock)
    del lock
    gc.collect()
    assert alive() is None


@needs_fork
def test_what_is_no_lock_is_told() -> None:
    """By the method that locks have for it, in the child alone."""
    told: queue.SimpleQueue[int] = queue.SimpleQueue()

    class Told:
        def _at_fork_reinit(self) -> None:
            told.put(1)

    kept = reset_after_fork(Told())
    assert "1" == run_in_fork(told.qsize)
    assert told.empty()
    del kept
