"""Holding a request until something is true: on this machine's clock, or on one that tests move."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from buntime.service.clock import ServiceClock

_LOOK_AGAIN = 0.5


class Waiter:
    """Holds requests. ``end_holds`` ends all holds early, so that their threads become free.

    ``advance`` moves a clock that stands still: to wait for a time is to move the clock to it.
    """

    def __init__(self, clock: ServiceClock, advance: Optional[Callable[[float], object]] = None) -> None:
        self._clock = clock
        self._advance = advance
        self.clock_runs: bool = advance is None
        self._round = 0

    def end_holds(self) -> None:
        """End the holds that are in progress and have an end, within half a second."""
        self._round += 1

    def hold(
        self,
        changed: threading.Condition,
        ready: Callable[[], bool],
        next_change: Callable[[], Optional[float]],
        seconds: Optional[float],
        read_timeout: Optional[float],
    ) -> bool:
        """Wait until ``ready()``, at most ``seconds``; return whether it is.

        ``next_change()`` is the next time on the monotonic clock at which ``ready`` may change without a
        notification. Raises ``TimeoutError`` after ``read_timeout`` seconds: the client waits no longer.
        """
        start, this_round = self._clock.monotonic(), self._round
        limit = None if read_timeout is None else start + read_timeout
        end = None if seconds is None else start + seconds
        with changed:
            while not ready():
                now = self._clock.monotonic()
                if end is not None and (now >= end or self._round != this_round):
                    return False
                if limit is not None and now >= limit:
                    raise TimeoutError("the service did not respond in time")
                look_again = now + _LOOK_AGAIN if self.clock_runs else None
                times = [time for time in (end, limit, next_change(), look_again) if time is not None]
                self._wait(changed, max(0.0, min(times) - now) if times else None)
            return True

    def _wait(self, changed: threading.Condition, seconds: Optional[float]) -> None:
        # A wait without an end is always a real one, since only another thread can end it.
        if self._advance is None or seconds is None:
            changed.wait(seconds)
            return
        # A timer of the clock may call the service in another thread's name, so the lock is free meanwhile.
        changed.release()
        try:
            self._advance(seconds)
        finally:
            changed.acquire()
