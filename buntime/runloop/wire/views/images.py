"""The disks that devboxes start from: snapshots and blueprints."""

from __future__ import annotations

from typing import Optional

import attrs

from buntime.runloop.wire.views.base import LogView, View


@attrs.frozen(kw_only=True, slots=False)
class SnapshotView(View):
    """A snapshot of a disk."""

    id: str
    name: Optional[str] = None
    commit_message: Optional[str] = None
    metadata: dict[str, str] = attrs.field(factory=dict)
    source_devbox_id: Optional[str] = None
    source_blueprint_id: Optional[str] = None
    create_time_ms: Optional[int] = None
    size_bytes: Optional[int] = None


@attrs.frozen(kw_only=True, slots=False)
class SnapshotStatusView(View):
    """The state of a snapshot: ``in_progress``, ``complete``, ``error`` or ``deleted``."""

    status: str
    error_message: Optional[str] = None
    snapshot: Optional[SnapshotView] = None


@attrs.frozen(kw_only=True, slots=False)
class BlueprintView(View):
    """A blueprint: an image that devboxes start from."""

    id: str
    status: str
    name: Optional[str] = None
    state: Optional[str] = None
    parameters: Optional[View] = None
    create_time_ms: Optional[int] = None
    build_finish_time_ms: Optional[int] = None
    base_blueprint_id: Optional[str] = None
    failure_reason: Optional[str] = None
    is_public: Optional[bool] = None
    metadata: Optional[dict[str, str]] = None


@attrs.frozen(kw_only=True, slots=False)
class BlueprintLogsView(View):
    """The log of a build."""

    blueprint_id: Optional[str] = None
    logs: list[LogView] = attrs.field(factory=list)
