"""The blueprints and the snapshots of disks from which devboxes are created.

The states and logs of blueprints are real, but nothing is built: the log explains that.
"""

from __future__ import annotations

from buntime.service.devboxes.context import JSON, Call
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.devboxes.spec import parse_devbox, strings, texts, without_nulls
from buntime.service.devboxes.storage import Blueprint, Snapshot, view
from buntime.service.requests import RequestFields

_INHERITED = ("launch_parameters", "file_mounts", "secrets", "code_mounts")
_UNUSED = ("build_context", "services", "code_mounts", "build_args")
BUILD_STATUSES = ("queued", "provisioning", "building", "awaiting_upload", "failed", "build_complete")


def create_blueprint(call: Call) -> JSON:
    """``POST /v1/blueprints``."""
    return _view(call.once(_new_blueprint), "provisioning")


def _new_blueprint(call: Call) -> Blueprint:
    fields, host = call.body, call.model.host
    names = [fields.optional_text(name) for name in ("base_blueprint_id", "base_blueprint_name")]
    if None not in names:
        raise invalid("Only one of base_blueprint_id and base_blueprint_name can be set")
    base = call.model.blueprints.find_named(*names)
    inherited = {} if base is None else {name: base.parameters.get(name) for name in _INHERITED}
    passed = without_nulls(fields.values)
    parameters = {**passed, **without_nulls(inherited), **passed}
    parameters.pop("metadata", None)
    fields.optional_text("dockerfile")
    strings(fields, "system_setup_commands")
    now_ms, metadata = call.model.now_ms(), texts(fields, "metadata")
    if context := fields.object("build_context"):
        call.model.readable_object(RequestFields(context, prefix="build_context.").text("object_id"))
    parse_devbox(RequestFields({}), parameters, call.model.secret_values())
    blueprint_id, name, now = call.model.new_id("bpt_"), fields.text("name"), host.clock.monotonic()
    blueprint = Blueprint(blueprint_id, name, parameters, metadata, now_ms, now, now + host.build_time)
    return call.model.blueprints.add(blueprint)


def _view(blueprint: Blueprint, status: str) -> JSON:
    fields = {**view(blueprint), "status": status, "state": "deleted" if blueprint.deleted else "created"}
    if status == "build_complete":
        build_ms = round(1000 * (blueprint.built - blueprint.created))
        fields["build_finish_time_ms"] = blueprint.create_time_ms + build_ms
    return fields


def retrieve_blueprint(call: Call) -> JSON:
    """``GET /v1/blueprints/{id}``; also after its deletion."""
    blueprint = call.model.blueprints.get(*call.ids)
    return _view(blueprint, blueprint.status(call.model.host.clock.monotonic()))


def list_blueprints(call: Call) -> JSON:
    """``GET /v1/blueprints``: a page, the newest first; ``name`` is exact."""
    call.query.optional_text("status", BUILD_STATUSES)
    now, blueprints = call.model.host.clock.monotonic(), call.model.blueprints.newest_first()
    views = [_view(each, each.status(now)) for each in blueprints if not each.deleted]
    return call.page("blueprints", views, ("name", "status"))


def logs(call: Call) -> JSON:
    """``GET /v1/blueprints/{id}/logs``: what was not done."""
    blueprint = call.model.blueprints.get(*call.ids)
    parameters, at = blueprint.parameters, blueprint.create_time_ms
    messages = ["Nothing is built by this model: devboxes have the programs of the machine that it runs on"]
    if parameters.get("dockerfile"):
        messages.append("The Dockerfile was not run")
    if setup := parameters.get("system_setup_commands"):
        messages.append(f"{len(setup)} system_setup_commands were not run")
    messages += [f"{name} was not used" for name in _UNUSED if parameters.get(name)]
    rows = [{"level": "info", "message": message, "timestamp_ms": at} for message in messages]
    return {"blueprint_id": blueprint.id, "logs": rows}


def delete_blueprint(call: Call) -> JSON:
    """``POST /v1/blueprints/{id}/delete``; a 400 while a snapshot depends on it."""
    blueprint = call.model.blueprints.get(*call.ids)
    for snapshot in call.model.snapshots.newest_first():
        if snapshot.source_blueprint_id == blueprint.id and snapshot.status in {"in_progress", "complete"}:
            raise invalid(f"Snapshot {snapshot.id} depends on blueprint {blueprint.id}")
    blueprint.deleted = True
    return {}


def snapshot_disk_async(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/snapshot_disk_async``: return when the snapshot has begun."""
    return view(call.once(_new_snapshot))


def _new_snapshot(call: Call) -> Snapshot:
    devbox, now_ms = call.devbox, call.model.now_ms()
    name, message = (call.body.optional_text(field) for field in ("name", "commit_message"))
    snapshot_id, metadata = call.model.new_id("snp_"), texts(call.body, "metadata")
    snapshot = Snapshot(snapshot_id, devbox.id, devbox.spec.blueprint_id, now_ms, name, message, metadata)
    devbox.take_snapshot(snapshot)
    return call.model.snapshots.add(snapshot)


def snapshot_disk(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/snapshot_disk``: held until the snapshot is complete."""
    snapshot = call.once(_new_snapshot)
    devbox = call.model.devboxes.get(snapshot.source_devbox_id)
    if not devbox.hold(lambda: snapshot.status != "in_progress", None, call.request.read_timeout):
        raise ApiError(408, f"Snapshot {snapshot.id} is in progress")
    if snapshot.error is not None:
        raise ApiError(409, f"The disk could not be copied: {snapshot.error}")
    return view(call.model.snapshot(snapshot.id))


def list_snapshots(call: Call) -> JSON:
    """``GET /v1/devboxes/disk_snapshots``: a page, the newest first."""
    prefix, query = "metadata[", dict(call.request.query)
    metadata = {key[len(prefix) : -1]: value for key, value in query.items() if key.startswith(prefix)}
    snapshots = [call.model.snapshot(each.id) for each in call.model.snapshots.newest_first()]
    rows = [
        view(each)
        for each in snapshots
        if query.get("devbox_id") in {None, "", each.source_devbox_id}
        and metadata.items() <= each.metadata.items()
        and each.status != "deleted"
    ]
    return call.page("snapshots", rows, ("source_blueprint_id",))


def query_status(call: Call) -> JSON:
    """``GET /v1/devboxes/disk_snapshots/{id}/status``."""
    snapshot = call.model.snapshot(*call.ids)
    error = {} if snapshot.error is None else {"error_message": snapshot.error}
    return {"status": snapshot.status, **error, "snapshot": view(snapshot)}


def update_snapshot(call: Call) -> JSON:
    """``POST /v1/devboxes/disk_snapshots/{id}``: replace name, message and metadata; what is absent stays."""
    snapshot = call.model.snapshot(*call.ids)
    for name in ("name", "commit_message"):
        if (value := call.body.optional_text(name)) is not None:
            setattr(snapshot, name, value)
    if call.body.values.get("metadata") is not None:
        snapshot.metadata = texts(call.body, "metadata")
    return view(snapshot)


def delete_snapshot(call: Call) -> JSON:
    """``POST /v1/devboxes/disk_snapshots/{id}/delete``; a 409 unless it is complete."""
    snapshot = call.model.snapshot(*call.ids)
    if snapshot.status != "complete":
        raise ApiError(409, f"Snapshot {snapshot.id} is {snapshot.status}")
    snapshot.status = "deleted"
    call.model.host.drop_snapshot(snapshot.id)
    return {}
