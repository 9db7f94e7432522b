"""Counting requests a minute."""

from __future__ import annotations

import math
import threading

from buntime._support.forks import reset_after_fork
from buntime.service.clock import ServiceClock
from buntime.service.errors import ServiceError

_WINDOW = 60.0


class RateLimiter:
    """Allows ``limit`` requests a minute, the limit of ``plan``; a minute starts with its first request."""

    def __init__(self, limit: int, clock: ServiceClock, *, plan: str | None) -> None:
        self._limit = limit
        self._plan = plan
        self._clock = clock
        self._lock = reset_after_fork(threading.Lock())
        self._window_end = -math.inf
        self._count = 0

    def count(self) -> None:
        """Count a request; a 429 ``rate_limit_exceeded`` if it is one too many."""
        with self._lock:
            seconds = self._seconds_to_window_end()
            if self._count < self._limit:
                self._count += 1
                return
        wait = max(1, math.ceil(seconds))
        raise ServiceError(
            "rate_limit_exceeded",
            f"More than {self._limit} requests in a minute; try again in {wait} s",
            {
                "limit": "requests_per_minute",
                "max": self._limit,
                "value": self._limit + 1,
                "plan": self._plan,
            },
            headers=[("Retry-After", str(wait))],
        )

    def headers(self) -> list[tuple[str, str]]:
        """Return the three rate limit headers; the reset is in Unix seconds."""
        with self._lock:
            seconds = self._seconds_to_window_end()
            remaining = self._limit - self._count
        return [
            ("X-RateLimit-Limit", str(self._limit)),
            ("X-RateLimit-Remaining", str(remaining)),
            ("X-RateLimit-Reset", str(math.ceil(self._clock.time() + seconds))),
        ]

    def _seconds_to_window_end(self) -> float:
        """Return the seconds until the minute ends; start a new minute if it has ended."""
        now = self._clock.monotonic()
        if now >= self._window_end:
            self._window_end, self._count = now + _WINDOW, 0
        return self._window_end - now
