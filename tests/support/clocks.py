"""A clock that stands still."""

from __future__ import annotations


class ManualClock:
    """Moves only by ``advance``; begins at 2024-01-19T10:30:00Z."""

    def __init__(self) -> None:
        self._epoch = 1_705_660_200.0
        self._passed = 1000.0

    def time(self) -> float:
        """Return seconds since the epoch."""
        return self._epoch

    def monotonic(self) -> float:
        """Return seconds since some moment."""
        return self._passed

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._epoch += seconds
        self._passed += seconds
