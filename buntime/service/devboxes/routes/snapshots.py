"""Snapshots of disks."""

from __future__ import annotations

from typing import Optional

from buntime._http import Response
from buntime.service.devboxes.context import Call
from buntime.service.devboxes.errors import ApiError
from buntime.service.devboxes.spec import texts
from buntime.service.devboxes.storage import Snapshot, view
from buntime.service.responses import json_response


def snapshot_disk_async(call: Call) -> Response:
    """``POST /v1/devboxes/{id}/snapshot_disk_async``: return when the snapshot has begun."""
    return json_response(view(_start(call)))


def snapshot_disk(call: Call) -> Response:
    """``POST /v1/devboxes/{id}/snapshot_disk``: held until the snapshot is complete."""
    snapshot = _start(call)
    devbox = call.model.devboxes.get(snapshot.source_devbox_id)
    if not devbox.hold(lambda: snapshot.status != "in_progress", None, call.request.read_timeout):
        raise ApiError(408, f"Snapshot {snapshot.id} is in progress")
    if snapshot.error is not None:
        raise ApiError(409, f"The disk could not be copied: {snapshot.error}")
    return json_response(view(call.model.snapshot(snapshot.id)))


def list_snapshots(call: Call) -> Response:
    """``GET /v1/devboxes/disk_snapshots``: a page, the newest first."""
    query = dict(call.request.query)
    prefix = "metadata["
    metadata = {key[len(prefix) : -1]: value for key, value in query.items() if key.startswith(prefix)}
    rows = [
        call.model.snapshot(snapshot.id)
        for snapshot in call.model.snapshots.newest_first()
        if query.get("devbox_id") in {None, "", snapshot.source_devbox_id}
        and query.get("source_blueprint_id") in {None, "", snapshot.source_blueprint_id}
        and metadata.items() <= snapshot.metadata.items()
        and snapshot.status != "deleted"
    ]
    return call.page("snapshots", map(view, rows))


def query_status(call: Call) -> Response:
    """``GET /v1/devboxes/disk_snapshots/{id}/status``."""
    snapshot = call.model.snapshot(*call.ids)
    error = {} if snapshot.error is None else {"error_message": snapshot.error}
    return json_response({"status": snapshot.status, **error, "snapshot": view(snapshot)})


def update(call: Call) -> Response:
    """``POST /v1/devboxes/disk_snapshots/{id}``: replace name, message and metadata; what is absent stays."""
    snapshot = call.model.snapshot(*call.ids)
    name, message = call.body.optional_text("name"), call.body.optional_text("commit_message")
    snapshot.name = snapshot.name if name is None else name
    snapshot.commit_message = snapshot.commit_message if message is None else message
    if call.body.values.get("metadata") is not None:
        snapshot.metadata = texts(call.body, "metadata")
    return json_response(view(snapshot))


def delete(call: Call) -> Response:
    """``POST /v1/devboxes/disk_snapshots/{id}/delete``; a 409 unless it is complete."""
    snapshot = call.model.snapshot(*call.ids)
    if snapshot.status != "complete":
        raise ApiError(409, f"Snapshot {snapshot.id} is {snapshot.status}")
    snapshot.status = "deleted"
    call.model.host.drop_snapshot(snapshot.id)
    return json_response({})


def _start(call: Call) -> Snapshot:
    return call.model.snapshots.get(call.once(lambda: _make(call)))


def _make(call: Call) -> str:
    devbox = call.model.devboxes.get(*call.ids)
    name: Optional[str] = call.body.optional_text("name")
    snapshot = Snapshot(
        call.model.new_id("snp_"),
        devbox.id,
        devbox.spec.blueprint_id,
        devbox.history.milliseconds(devbox.clock.monotonic()),
        name,
        call.body.optional_text("commit_message"),
        texts(call.body, "metadata"),
    )
    devbox.take_snapshot(snapshot)
    call.model.snapshots.add(snapshot)
    return snapshot.id
