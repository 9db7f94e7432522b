"""A clock that the test advances."""

from __future__ import annotations


class ManualClock:
    """A clock that starts at 2024-01-19T10:30:00Z and only moves on ``advance``."""

    def __init__(self) -> None:
        self._epoch = 1_705_660_200.0
        self._passed = 1000.0

    def time(self) -> float:
        """Return seconds since the epoch."""
        return self._epoch

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment."""
        return self._passed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._epoch += seconds
        self._passed += seconds
