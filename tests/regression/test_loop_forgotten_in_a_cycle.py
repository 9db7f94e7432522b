"""A pool's loop that was forgotten, and collected by a thread of the pool, had that thread wait for ever."""

from __future__ import annotations

import gc
import threading
from typing import Any

from buntime import Buntime, Session, SessionPool
from tests.support.blocking_service import HeldService

_PATIENCE = 30.0


class _Collecting(list[Any]):
    """The leases of a pool; a session that is given back is where the garbage is collected, once."""

    def __init__(self, leases: list[Any], collected: threading.Event) -> None:
        super().__init__(leases)
        self._collected = collected

    def remove(self, lease: Any) -> None:
        super().remove(lease)
        if not self._collected.is_set():
            gc.collect()
            self._collected.set()


def _forget(pool: SessionPool, collected: threading.Event) -> None:
    """Begin a loop, and leave it in a cycle."""

    def run(session: Session, code: str) -> str:
        return session.execute(code).stdout

    outcomes = pool.map(run, ["hold 1", "hold 2", "a"], ordered=False)
    assert "a" == next(outcomes).value
    registry = pool._registry()
    with registry._changed:
        registry._leases = _Collecting(registry._leases, collected)
    cycle: list[Any] = [outcomes]
    cycle.append(cycle)


def test_it_ends_all_the_same() -> None:
    """The thread goes on, and closing the pool waits for what ends the loop."""
    service, collected = HeldService(), threading.Event()
    with Buntime(transport=service.transport, max_retries=0) as client, SessionPool(client, size=3) as pool:
        _forget(pool, collected)
        service.let_go()
        assert collected.wait(_PATIENCE), "the thread waits for itself"
    assert set() == service.open
