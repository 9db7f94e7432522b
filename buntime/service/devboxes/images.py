"""What devboxes are made from: snapshots of disks, and blueprints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

import attrs

from buntime.service.devboxes.box import Saving
from buntime.service.devboxes.errors import ApiError


@attrs.define(eq=False)
class Snapshot:
    """A snapshot of a devbox's disk.

    ``status`` is ``in_progress``, ``complete``, ``error`` or ``deleted``.
    """

    id: str
    source_devbox_id: str
    source_blueprint_id: Optional[str]
    create_time_ms: int
    name: Optional[str]
    commit_message: Optional[str]
    metadata: Mapping[str, str]
    status: str = "in_progress"
    error: Optional[str] = None
    size_bytes: Optional[int] = None
    saving: Saving = attrs.field(init=False)


@attrs.define
class DiskSaving:
    """The snapshot of a devbox that is in progress, if there is one. The devbox's lock is held."""

    drop: Callable[[str], None]
    snapshot: Optional[Snapshot] = None

    def check_none(self, devbox_id: str) -> None:
        """Raise a 409 if there is one."""
        if self.snapshot is not None:
            raise ApiError(409, f"A snapshot of devbox {devbox_id} is in progress")

    def next_change(self) -> Optional[float]:
        """Return when it may have ended, on the monotonic clock."""
        return None if self.snapshot is None else self.snapshot.saving.next_change()

    def settle(self, _at: float) -> None:
        """Note its end, if it has ended."""
        if self.snapshot is not None and (error := self.snapshot.saving.poll()) is not None:
            self._end(self.snapshot, error)

    def cancel(self) -> None:
        """End it with its devbox."""
        if self.snapshot is not None:
            self.snapshot.saving.cancel()
            self._end(self.snapshot, "the devbox has ended")

    def _end(self, snapshot: Snapshot, error: str) -> None:
        """Note the end of a snapshot; if there is an error, its disk is of no use."""
        self.snapshot = None
        snapshot.status, snapshot.error = ("error", error) if error else ("complete", None)
        if error:
            self.drop(snapshot.id)


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
