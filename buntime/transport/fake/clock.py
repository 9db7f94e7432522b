"""The clock of the fake, which moves only when a test or the client moves it."""

from __future__ import annotations

import threading
import time
from typing import Callable

import attrs

from buntime._support.forks import reset_after_fork


@attrs.define(eq=False)
class _Timer:
    due: float
    period: float
    act: Callable[[], object]


class FakeClock:
    """A clock that starts at the real time and then stands still until :meth:`advance`."""

    def __init__(self) -> None:
        self._start = time.time()
        self._elapsed = 0.0
        self._timers: list[_Timer] = []
        self._advancing = False
        self._lock = reset_after_fork(threading.Lock())

    def time(self) -> float:
        """Return the fake date, in seconds since the epoch."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return how many seconds the clock has moved."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move the clock, and run the timers that become due, in the order of their times."""
        if not seconds >= 0:
            raise ValueError(f"time does not go back: advance({seconds})")
        with self._lock:
            end = self._elapsed + seconds
            if self._advancing or not self._timers:
                # The action of a timer may take time itself; it triggers no further timer.
                self._elapsed = end
                return
            self._advancing = True
        try:
            while (timer := self._next_timer(end)) is not None:
                timer.act()
        finally:
            self._advancing = False

    def _next_timer(self, end: float) -> _Timer | None:
        """Move on to the next timer that is due by ``end``; if there is none, to ``end``."""
        with self._lock:
            due = [timer for timer in self._timers if timer.due <= end]
            timer = min(due, key=lambda timer: timer.due, default=None)
            self._elapsed = max(self._elapsed, end if timer is None else timer.due)
            if timer is not None:
                timer.due += timer.period
            return timer

    def every(self, seconds: float, act: Callable[[], object]) -> Callable[[], None]:
        """Call ``act`` whenever that many seconds have passed; return a function that stops it."""
        timer = _Timer(self._elapsed + seconds, seconds, act)
        with self._lock:
            self._timers.append(timer)

        def stop() -> None:
            with self._lock:
                if timer in self._timers:
                    self._timers.remove(timer)

        return stop
