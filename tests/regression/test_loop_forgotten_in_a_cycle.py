"""A pool's loop that was forgotten, and collected by a thread of the pool, had that thread wait for ever."""

from __future__ import annotations

import gc
import threading
from typing import Any

from buntime import Buntime, Session, SessionPool
from tests.support.blocking_service import HeldService

_PATIENCE = 30.0


def _forget(pool: SessionPool, collected: threading.Event) -> None:
    """Begin a loop and leave it in a cycle, which a thread of the pool collects."""

    def run(session: Session, code: str) -> str:
        result = session.execute(code).stdout
        if code == "hold":
            gc.collect()
            collected.set()
        return result

    outcomes = pool.map(run, ["hold", "a"], ordered=False)
    assert "a" == next(outcomes).value
    cycle: list[Any] = [outcomes]
    cycle.append(cycle)


def test_it_ends_all_the_same() -> None:
    """The thread goes on, and closing the pool waits for what ends the loop."""
    service, collected = HeldService(), threading.Event()
    with Buntime(transport=service.transport, max_retries=0) as client, SessionPool(client, size=2) as pool:
        _forget(pool, collected)
        service.let_go()
        assert collected.wait(_PATIENCE), "the thread waits for itself"
    assert set() == service.open
