"""A pool thread deadlocked if it garbage-collected an abandoned ``map`` iterator."""

from __future__ import annotations

import gc
import threading
from typing import Any

from buntime import Buntime, Session, SessionPool
from tests.support.blocking_service import BlockingService

_PATIENCE = 30.0


class _CollectingCondition(threading.Condition):
    """The lock of a pool; returning the first session triggers a garbage collection."""

    def __init__(self, collected: threading.Event) -> None:
        super().__init__()
        self._collected = collected

    def notify_all(self) -> None:
        super().notify_all()
        if not self._collected.is_set():
            gc.collect()
            self._collected.set()


def _abandon_loop(pool: SessionPool, collected: threading.Event) -> None:
    """Start a loop and abandon it in a reference cycle."""

    def run(session: Session, code: str) -> str:
        return session.execute(code).stdout

    outcomes = pool.map(run, ["hold 1", "hold 2", "a"], ordered=False)
    assert "a" == next(outcomes).value
    pool._registry._changed = _CollectingCondition(collected)
    cycle: list[Any] = [outcomes]
    cycle.append(cycle)


def test_an_abandoned_loop_ends() -> None:
    """The thread continues, and closing the pool waits for the loop to end."""
    service, collected = BlockingService(), threading.Event()
    with Buntime(transport=service.transport, max_retries=0) as client, SessionPool(client, size=3) as pool:
        _abandon_loop(pool, collected)
        service.release()
        assert collected.wait(_PATIENCE), "the thread waits for itself"
    assert set() == service.open
