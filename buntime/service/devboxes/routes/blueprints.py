"""Blueprints. Their states and logs are real, but nothing is built: the log explains that."""

from __future__ import annotations

from typing import Any

from buntime._http import Response
from buntime.service.devboxes.context import Call
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.spec import parse_devbox, strings, texts, without_nulls
from buntime.service.devboxes.storage import Blueprint
from buntime.service.requests import RequestFields
from buntime.service.responses import json_response

_INHERITED = ("launch_parameters", "file_mounts", "secrets", "code_mounts")
STATUSES = ("queued", "provisioning", "building", "awaiting_upload", "failed", "build_complete")


def create(call: Call) -> Response:
    """``POST /v1/blueprints``."""
    blueprint = call.model.blueprints.get(call.once(lambda: _make(call)))
    return json_response(_view(call, blueprint, new=True))


def _make(call: Call) -> str:
    fields = call.body
    names = [fields.optional_text(name) for name in ("base_blueprint_id", "base_blueprint_name")]
    if None not in names:
        raise invalid("Only one of base_blueprint_id and base_blueprint_name can be set")
    base = call.model.blueprints.find_named(*names)
    parameters = without_nulls(fields.values)
    if base is not None:
        for name in _INHERITED:
            if name in base.parameters and name not in parameters:
                parameters[name] = base.parameters[name]
    fields.optional_text("dockerfile")
    strings(fields, "system_setup_commands")
    parameters["metadata"] = texts(fields, "metadata")
    if context := fields.object("build_context"):
        call.model.readable_object(RequestFields(context, prefix="build_context.").text("object_id"))
    parse_devbox(RequestFields({}), parameters, call.model.secret_values())
    clock = call.model.host.clock
    now = clock.monotonic()
    blueprint = Blueprint(
        call.model.new_id("bpt_"),
        fields.text("name"),
        parameters,
        call.model.now_ms(),
        now,
        now + call.model.host.build_time,
    )
    call.model.blueprints.add(blueprint)
    return blueprint.id


def _view(call: Call, blueprint: Blueprint, *, new: bool = False) -> dict[str, Any]:
    status = "provisioning" if new else blueprint.status(call.model.host.clock.monotonic())
    view = {
        "id": blueprint.id,
        "name": blueprint.name,
        "status": status,
        "state": "deleted" if blueprint.deleted else "created",
        "create_time_ms": blueprint.create_time_ms,
        "parameters": {key: value for key, value in blueprint.parameters.items() if key != "metadata"},
        "is_public": False,
        "metadata": blueprint.parameters["metadata"],
    }
    if status == "build_complete":
        view["build_finish_time_ms"] = blueprint.create_time_ms + round(
            1000 * (blueprint.built - blueprint.created)
        )
    return view


def retrieve(call: Call) -> Response:
    """``GET /v1/blueprints/{id}``; also after its deletion."""
    return json_response(_view(call, call.model.blueprints.get(*call.ids)))


def list_blueprints(call: Call) -> Response:
    """``GET /v1/blueprints``: a page, the newest first; ``name`` is exact."""
    status = call.query.optional_text("status")
    if status is not None and status not in STATUSES:
        raise invalid(f"status must be one of {', '.join(STATUSES)}")
    views = [_view(call, each) for each in call.model.blueprints.newest_first() if not each.deleted]
    return call.page("blueprints", views, ("name", "status"))


def logs(call: Call) -> Response:
    """``GET /v1/blueprints/{id}/logs``: what was not done."""
    blueprint = call.model.blueprints.get(*call.ids)
    setup = len(blueprint.parameters.get("system_setup_commands") or ())
    messages = ["Nothing is built by this model: devboxes have the programs of the machine that it runs on"]
    if blueprint.parameters.get("dockerfile"):
        messages.append("The Dockerfile was not run")
    if setup:
        messages.append(f"{setup} system_setup_commands were not run")
    unused = ("build_context", "services", "code_mounts", "build_args")
    messages += [f"{name} was not used" for name in unused if blueprint.parameters.get(name)]
    rows = [
        {"level": "info", "message": message, "timestamp_ms": blueprint.create_time_ms}
        for message in messages
    ]
    return json_response({"blueprint_id": blueprint.id, "logs": rows})


def delete(call: Call) -> Response:
    """``POST /v1/blueprints/{id}/delete``; a 400 while a snapshot depends on it."""
    blueprint = call.model.blueprints.get(*call.ids)
    for snapshot in call.model.snapshots.newest_first():
        if snapshot.source_blueprint_id == blueprint.id and snapshot.status in {"in_progress", "complete"}:
            raise invalid(f"Snapshot {snapshot.id} depends on blueprint {blueprint.id}")
    blueprint.deleted = True
    return json_response({})
