"""Waiting until something changes: on this machine's clock, or on one that tests move."""

from __future__ import annotations

import threading
from typing import Callable, Optional

_LONGEST = 0.5


class Waiter:
    """Waits for a notification or a time. ``advance`` moves a clock that stands still on to that time."""

    def __init__(self, advance: Optional[Callable[[float], object]] = None) -> None:
        self._advance = advance
        self.clock_runs: bool = advance is None
        self.ended_holds: int = 0
        """How often the requests that are held were ended early, because their threads were needed."""

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        """Wait until ``changed``, at most ``seconds``; a caller looks again, since it may return early.

        Without an end it is always a real wait: only another thread can end it.
        """
        if self._advance is None:
            changed.wait(min(seconds, _LONGEST))
        elif seconds == float("inf"):
            changed.wait()
        else:
            # A timer of the clock may call the service in another thread's name, so the lock is free.
            changed.release()
            try:
                self._advance(seconds)
            finally:
                changed.acquire()
