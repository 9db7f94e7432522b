"""Counting requests a minute."""

from __future__ import annotations

import math
import threading

from buntime._support.forks import reset_after_fork
from buntime.service.clock import Clock
from buntime.service.errors import ServiceError

_WINDOW = 60.0


class RateLimiter:
    """Lets ``limit`` requests pass a minute, as ``plan`` says; the minute starts with the first."""

    def __init__(self, limit: int, clock: Clock, *, plan: str | None) -> None:
        self._limit = limit
        self._plan = plan
        self._clock = clock
        self._lock = reset_after_fork(threading.Lock())
        self._ends = -math.inf
        self._used = 0

    def take(self) -> None:
        """Count a request; refuse it with 429 ``rate_limit_exceeded`` where it is one too many."""
        with self._lock:
            left = self._left()
            if self._used < self._limit:
                self._used += 1
                return
        wait = max(1, math.ceil(left))
        raise ServiceError(
            429,
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
        """Return the three headers that tell a caller where it stands; the reset in Unix seconds."""
        with self._lock:
            left = self._left()
            remaining = self._limit - self._used
        return [
            ("X-RateLimit-Limit", str(self._limit)),
            ("X-RateLimit-Remaining", str(remaining)),
            ("X-RateLimit-Reset", str(math.ceil(self._clock.time() + left))),
        ]

    def _left(self) -> float:
        """Return the seconds until the minute ends, starting a new one where it has ended."""
        now = self._clock.monotonic()
        if now >= self._ends:
            self._ends, self._used = now + _WINDOW, 0
        return self._ends - now
