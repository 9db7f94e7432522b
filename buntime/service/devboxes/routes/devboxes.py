"""Creating, describing and ending devboxes."""

from __future__ import annotations

import secrets
from typing import Any, Optional

from buntime.service.devboxes.context import JSON, Call
from buntime.service.devboxes.devbox import ENDED, Devbox
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.files import write_file
from buntime.service.devboxes.history import Execution
from buntime.service.devboxes.model import Model
from buntime.service.devboxes.mounts import add_mounts, mounted_files
from buntime.service.devboxes.spec import parse_devbox, texts, without_nulls
from buntime.service.requests import RequestFields

STATUSES = (
    *("queued", "provisioning", "initializing", "running", "suspending", "suspended", "resuming"),
    *("failure", "shutdown"),
)
_HOLD = 10
_LONGEST_HOLD = 30
_CREATE_HOLD = 30.0
_LOGGED_LINES = 100
_SHOWN = ("name", "launch_parameters", "metadata", "blueprint_id", "snapshot_id")
"""The fields of a request that the response has too."""


def create(call: Call) -> JSON:
    """``POST /v1/devboxes``: return the devbox immediately, before it runs."""
    return view(_create(call))


def create_and_await_running(call: Call) -> JSON:
    """``POST /v1/devboxes/create_and_await_running``: the same, held until the devbox runs or has ended."""
    devbox = _create(call)
    devbox.hold(lambda: devbox.status in {"running", *ENDED}, _CREATE_HOLD, call.request.read_timeout)
    return _settled_view(devbox)


def _create(call: Call) -> Devbox:
    return call.once(lambda call: make_devbox(call.model, call.body))


def make_devbox(model: Model, fields: RequestFields) -> Devbox:
    """Create a devbox; a 400 for wrong fields."""
    sources = [fields.optional_text(name) for name in ("snapshot_id", "blueprint_id", "blueprint_name")]
    if sources.count(None) < 2:
        raise invalid("Only one of blueprint_id, blueprint_name and snapshot_id can be set")
    snapshot_id, *blueprint_names = sources
    blueprint, now = model.blueprints.find_named(*blueprint_names), model.host.clock.monotonic()
    if blueprint is not None and (blueprint.deleted or blueprint.status(now) != "build_complete"):
        raise invalid(f"Blueprint {blueprint.id} is deleted or not complete")
    if snapshot_id is not None and model.snapshot(snapshot_id).status != "complete":
        raise invalid(f"Snapshot {snapshot_id} is not complete")
    spec = parse_devbox(fields, {} if blueprint is None else blueprint.parameters, model.secret_values())
    spec.blueprint_id, spec.snapshot_id = None if blueprint is None else blueprint.id, snapshot_id
    add_mounts(model, fields, spec)
    tunnel = fields.object("tunnel") and _tunnel(RequestFields(fields.object("tunnel"), prefix="tunnel."))
    model.alive()  # ends those that are due, so that clients which never look at theirs cannot pile them up
    devbox = Devbox(spec, model.host)
    try:
        for path, content, is_program in mounted_files(model, spec):
            write_file(devbox, path, content, is_program=is_program)
    except BaseException:
        devbox.end()
        raise
    devbox.tunnel = tunnel or None
    model.devboxes.add(devbox)
    if model.closed:
        devbox.end()
    model.check_open()
    return devbox


def view(devbox: Devbox) -> JSON:
    """Return the fields of a devbox, as of the last time it was settled."""
    with devbox.lock:
        spec, history, ended = devbox.spec, devbox.history, devbox.ended
        fields = {
            "id": devbox.id,
            **{name: getattr(spec, name) for name in _SHOWN},
            "status": devbox.status,
            "create_time_ms": history.milliseconds(devbox.created),
            "end_time_ms": None if ended is None else history.milliseconds(ended),
            "state_transitions": list(history.transitions),
            "capabilities": [],
            "tunnel": devbox.tunnel,
            "initiator_type": "unknown",
            **history.reasons,
        }
    return without_nulls(fields)


def _settled_view(devbox: Devbox) -> JSON:
    devbox.settle()
    return view(devbox)


def retrieve(call: Call) -> JSON:
    """``GET /v1/devboxes/{id}``; also after its end."""
    return _settled_view(call.devbox)


def list_devboxes(call: Call) -> JSON:
    """``GET /v1/devboxes``: a page, the newest first."""
    call.query.optional_text("status", STATUSES)
    return call.page("devboxes", map(_settled_view, call.model.devboxes.newest_first()), ("status",))


def update(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}``: replace the name and the metadata; what is absent stays."""
    spec, name = call.devbox.spec, call.body.optional_text("name")
    with call.devbox.lock:
        if name is not None:
            spec.name = name or None
        if call.body.values.get("metadata") is not None:
            spec.metadata = texts(call.body, "metadata")
    return _settled_view(call.devbox)


def wait_for_status(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/wait_for_status``: held until the status is one of ``statuses``, or a 408."""
    call.hold(call.devbox, STATUSES, _HOLD, _LONGEST_HOLD)
    return _settled_view(call.devbox)


def shutdown(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/shutdown``: end it for good, its disk too."""
    call.devbox.shutdown(force=call.flag("force"))
    return _settled_view(call.devbox)


def suspend(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/suspend``: end its processes and keep its disk."""
    with call.devbox.lock:
        call.devbox.suspend()
        return view(call.devbox)


def resume(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/resume``: run again."""
    with call.devbox.lock:
        call.devbox.resume()
        return view(call.devbox)


def keep_alive(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/keep_alive``: start the time of its keep-alive again."""
    call.devbox.keep_alive()
    return {}


def logs(call: Call) -> JSON:
    """``GET /v1/devboxes/{id}/logs``: notes, commands, and the last lines of their output, by time."""
    return {"logs": log_rows(call.devbox, *map(call.query.optional_text, ("execution_id", "shell_name")))}


def log_rows(devbox: Devbox, execution_id: Optional[str] = None, shell: Optional[str] = None) -> list[JSON]:
    """Return the log of a devbox, or of an execution or a shell."""
    rows: list[JSON] = []
    with devbox.lock:
        devbox.settle()
        if execution_id is None and shell is None:
            rows += [_row(devbox, "info", "stats", at, message=text) for at, text in devbox.history.notes]
        for execution in devbox.commands.all():
            if execution_id in {None, execution.id} and shell in {None, execution.shell_name}:
                rows += _execution_rows(devbox, execution)
    return sorted(rows, key=lambda row: int(row["timestamp_ms"]))


def _row(devbox: Devbox, level: str, source: str, at: float, **fields: Any) -> JSON:
    at_ms = devbox.history.milliseconds(at)
    return {"level": level, "source": source, "timestamp_ms": at_ms, **without_nulls(fields)}


def _execution_rows(devbox: Devbox, execution: Execution) -> list[JSON]:
    common = {"cmd_id": execution.id, "shell_name": execution.shell_name}
    source, end = execution.source, execution.ended
    rows = [_row(devbox, "info", source, execution.created, cmd=execution.command, **common)]
    for kind, level in (("stdout", "info"), ("stderr", "error")):
        lines = execution.outputs[kind].last_lines(_LOGGED_LINES)[0].splitlines()
        at = devbox.clock.monotonic() if end is None else end
        rows += [_row(devbox, level, source, at, message=line, **common) for line in lines]
    if end is not None:
        rows.append(_row(devbox, "info", source, end, exit_code=execution.exit_status, **common))
    return rows


def _tunnel(fields: RequestFields) -> JSON:
    mode = fields.optional_text("auth_mode", ("open", "authenticated")) or "open"
    token = {"auth_token": secrets.token_urlsafe(24)} if mode == "authenticated" else {}
    options = {name: fields.flag(name) for name in ("http_keep_alive", "wake_on_http")}
    return {"tunnel_key": secrets.token_hex(8), "auth_mode": mode, **token, **options}


def enable_tunnel(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/enable_tunnel``: a key of a tunnel; its host name does not resolve."""
    devbox, tunnel = call.devbox, _tunnel(call.body)
    with devbox.lock:
        devbox.require("running")
        if devbox.tunnel is not None:
            raise invalid(f"Devbox {devbox.id} has a tunnel")
        devbox.tunnel = tunnel
        devbox.note("The tunnel has a key, and leads nowhere in this model")
    return tunnel


def remove_tunnel(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/remove_tunnel``."""
    with call.devbox.lock:
        call.devbox.require("running")
        call.devbox.tunnel = None
    return {}


def create_ssh_key(call: Call) -> JSON:
    """``POST /v1/devboxes/{id}/create_ssh_key``: a key of the right form, which opens nothing."""
    devbox = call.devbox
    with devbox.lock:
        devbox.require("running")
        devbox.note("The SSH key is not a real one: no SSH server runs in this model")
    key = "\n".join(("-----BEGIN MODEL KEY-----", secrets.token_urlsafe(48), "-----END MODEL KEY-----", ""))
    host = f"{devbox.id.replace('_', '-').lower()}.invalid"
    return {"id": devbox.id, "ssh_private_key": key, "ssh_user": "user", "url": host}
