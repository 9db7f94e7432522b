"""Holding a request until something is true: on this machine's clock, or on one that tests move."""

from __future__ import annotations

import threading
from typing import Callable, Optional, Protocol

from buntime.service.clock import ServiceClock, SystemClock

_LOOK_AGAIN = 0.5


class WaitingClock(ServiceClock, Protocol):
    """A clock by which requests are held; ``runs`` is whether it moves by itself."""

    runs: bool

    def wait(self, changed: threading.Condition, seconds: Optional[float]) -> None:
        """Wait for a notification, at most ``seconds``; the caller holds the condition."""
        ...


class RealClock(SystemClock):
    """The clock of this machine."""

    runs = True

    def wait(self, changed: threading.Condition, seconds: Optional[float]) -> None:
        """Really wait."""
        changed.wait(seconds)


class MovedClock:
    """A clock that stands still: a wait moves it by ``advance``.

    A wait without an end is a real one, since only another thread can end it.
    """

    runs = False

    def __init__(self, clock: ServiceClock, advance: Callable[[float], object]) -> None:
        self.time: Callable[[], float] = clock.time
        self.monotonic: Callable[[], float] = clock.monotonic
        self._advance = advance

    def wait(self, changed: threading.Condition, seconds: Optional[float]) -> None:
        """Let ``seconds`` pass on the clock."""
        if seconds is None:
            changed.wait()
            return
        # A timer of the clock may call the service in another thread's name, so the lock is free meanwhile.
        changed.release()
        try:
            self._advance(seconds)
        finally:
            changed.acquire()


class Waiter:
    """Holds requests. ``end_holds`` ends all holds early, so that their threads become free."""

    def __init__(self, clock: WaitingClock) -> None:
        self.clock = clock
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
        start, this_round = self.clock.monotonic(), self._round
        limit = None if read_timeout is None else start + read_timeout
        end = None if seconds is None else start + seconds
        with changed:
            while not ready():
                now = self.clock.monotonic()
                if end is not None and (now >= end or self._round != this_round):
                    return False
                if limit is not None and now >= limit:
                    raise TimeoutError("the service did not respond in time")
                look_again = now + _LOOK_AGAIN if self.clock.runs else None
                times = [time for time in (end, limit, next_change(), look_again) if time is not None]
                self.clock.wait(changed, max(0.0, min(times) - now) if times else None)
            return True
