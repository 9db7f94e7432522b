"""What devboxes are made from: snapshots of disks, and blueprints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

import attrs

from buntime.service.devboxes.box import Saving


class _NotStarted:
    def poll(self) -> Optional[str]:
        return None

    def next_change(self) -> float:
        return float("inf")

    def cancel(self) -> None:
        pass


@attrs.define(eq=False)
class Snapshot:
    """A snapshot of a devbox's disk.

    ``status`` is ``in_progress``, ``complete``, ``error`` or ``deleted``.
    """

    id: str
    devbox_id: str
    blueprint_id: Optional[str]
    create_time_ms: int
    name: Optional[str]
    commit_message: Optional[str]
    metadata: Mapping[str, str]
    status: str = "in_progress"
    error: Optional[str] = None
    size_bytes: Optional[int] = None
    saving: Saving = attrs.field(factory=_NotStarted)

    def view(self) -> dict[str, Any]:
        """Return the fields of a response."""
        view = {
            "id": self.id,
            "source_devbox_id": self.devbox_id,
            "source_blueprint_id": self.blueprint_id,
            "create_time_ms": self.create_time_ms,
            "name": self.name,
            "commit_message": self.commit_message,
            "metadata": self.metadata,
            "size_bytes": self.size_bytes,
        }
        return {key: value for key, value in view.items() if value is not None}


@attrs.define(eq=False)
class Blueprint:
    """A blueprint. Nothing is built: it is complete at the time ``built``, on the monotonic clock."""

    id: str
    name: str
    parameters: Mapping[str, Any]
    create_time_ms: int
    created: float
    built: float
    deleted: bool = False

    def status(self, now: float) -> str:
        """Return the status at a time of the monotonic clock."""
        if now >= self.built:
            return "build_complete"
        return "provisioning" if now < (self.created + self.built) / 2 else "building"
