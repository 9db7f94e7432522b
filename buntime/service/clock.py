"""The clock that the service reads."""

from __future__ import annotations

import sys
import time
from typing import Protocol


class ServiceClock(Protocol):
    """Two readings of one clock: the date, and seconds that never go back."""

    def time(self) -> float:
        """Return seconds since the epoch, for the dates in responses."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start, for measuring."""
        ...


if sys.platform == "win32":
    now, monotonic = time.time, time.monotonic
else:
    # Not time.time and time.monotonic, which tests replace to freeze or move the time: that ends no session.
    def now() -> float:
        """Return seconds since the epoch."""
        return time.clock_gettime(time.CLOCK_REALTIME)

    def monotonic() -> float:
        """Return seconds from an arbitrary start."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)


class SystemClock:
    """The clock of this machine."""

    def time(self) -> float:
        """Return seconds since the epoch."""
        return now()

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start."""
        return monotonic()
