"""Where the service reads the time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of one clock: the date, and seconds that never go back."""

    def time(self) -> float:
        """Return seconds since the epoch; what the service shows."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; what the service measures by."""
        ...


class SystemClock:
    """The clock of this machine."""

    def time(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some moment before."""
        return time.monotonic()
