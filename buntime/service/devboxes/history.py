"""The statuses of a devbox with their times, and its log."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import attrs

_MOST = 1000


@attrs.define
class History:
    """The last 1,000 statuses and lines of the log. Times are seconds on the monotonic clock."""

    epoch: float
    """The monotonic clock's zero, in seconds since the epoch."""
    transitions: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=_MOST))
    """The statuses in the form of a response."""
    reasons: dict[str, str] = attrs.field(factory=dict)
    notes: deque[tuple[float, str]] = attrs.field(factory=lambda: deque(maxlen=_MOST))

    def milliseconds(self, at: float) -> int:
        """Return a time as milliseconds since the epoch."""
        return round(1000 * (self.epoch + at))

    @property
    def status(self) -> str:
        """The last status."""
        return str(self.transitions[-1]["status"]) if self.transitions else "provisioning"

    def add(self, status: str, at: float, reasons: Mapping[str, str]) -> None:
        """Add a status, and the reasons for it."""
        transition: dict[str, Any] = {"status": status, "transition_time_ms": self.milliseconds(at)}
        if "failure_reason" in reasons:
            transition["failure_reason"] = reasons["failure_reason"]
        self.transitions.append(transition)
        self.reasons.update(reasons)
