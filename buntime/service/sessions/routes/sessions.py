"""Creating, describing and deleting sessions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from buntime._http import Response
from buntime.service.errors import invalid
from buntime.service.executors import Limits
from buntime.service.requests import Fields, header
from buntime.service.responses import json_bytes, json_response, timestamp
from buntime.service.sessions.limits import DEFAULT_TTL, MAX_METADATA, MIN_TTL, Plan
from buntime.service.sessions.routes.context import Call, Model, workspace_refusals
from buntime.service.sessions.sessions import Session

REPLAYED = "Idempotency-Replayed"
"""The header, ``true``, of a create that an earlier one with the same key had answered."""


def create(model: Model, call: Call) -> Response:
    """``POST /sessions/create``: with an ``Idempotency-Key``, at most once in 24 hours."""
    key = header(call.request, "Idempotency-Key")
    if key is None:
        return json_response(_created(model, call.fields))
    answer, replayed = model.idempotency.once(key, call.body, lambda: _created(model, call.fields))
    return json_response(answer, headers=[(REPLAYED, "true")] if replayed else [])


def info(model: Model, call: Call) -> Response:
    """``GET /sessions/{sessionId}``: the session as it was found; looking does not wake it."""
    session = model.sessions.get(call.session_id)
    with workspace_refusals(session, model.plan, ""):
        files_count = session.workspace.file_count()
    return json_response(
        {
            "sessionId": session.id,
            "createdAt": timestamp(session.created),
            "expiresAt": timestamp(session.created + session.ttl),
            "lastActive": timestamp(session.last_active),
            "state": session.state,
            "filesCount": files_count,
            "activeProcesses": session.runtime.processes(),
            "metadata": session.metadata,
        }
    )


def delete(model: Model, call: Call) -> Response:
    """``DELETE /sessions/{sessionId}``: its executions end, its files are gone."""
    model.sessions.end(call.session_id)
    return json_response({"deleted": True, "sessionId": call.session_id})


def _created(model: Model, fields: Fields) -> dict[str, Any]:
    session = model.sessions.open(
        ttl=_ttl(model.plan, fields),
        metadata=_metadata(fields),
        limits=_limits(model.plan, fields.object("resourceLimits")),
    )
    return _description(session, model.executor.preview_url(session.id))


def _description(session: Session, preview_url: str) -> dict[str, Any]:
    limits = session.limits
    return {
        "sessionId": session.id,
        "createdAt": timestamp(session.created),
        "expiresAt": timestamp(session.created + session.ttl),
        "previewUrl": preview_url,
        "resourceLimits": {
            "memory": limits.memory,
            "cpu": limits.cpu,
            "timeout": limits.timeout,
            "disk": limits.disk,
        },
    }


def _ttl(plan: Plan, fields: Fields) -> int:
    ttl = fields.optional_integer("ttl", MIN_TTL)
    if ttl is None:
        return DEFAULT_TTL
    plan.check("max_ttl", ttl, field="ttl")
    return ttl


def _metadata(fields: Fields) -> dict[str, Any]:
    metadata = fields.object("metadata")
    size = len(json_bytes(metadata))
    if size > MAX_METADATA:
        raise invalid(
            "metadata",
            f"metadata has {size} bytes as JSON; it may have {MAX_METADATA}",
            limit="metadata",
            max=MAX_METADATA,
            value=size,
        )
    return metadata


def _limits(plan: Plan, wanted: Mapping[str, Any]) -> Limits:
    fields = Fields(wanted, prefix="resourceLimits.")
    standard = plan.default_limits()
    memory = fields.optional_integer("memory", 1)
    cpu = fields.optional_number("cpu")
    timeout = fields.optional_integer("timeout", 1)
    given = [value for value in (memory, cpu, timeout) if value is not None]
    if given and not plan.resource_overrides:
        raise plan.refusal(
            "resource_overrides", False, True, "resourceLimits cannot be set", field="resourceLimits"
        )
    plan.check("memory_per_execution", memory or 0, field="resourceLimits.memory")
    plan.check("execution_timeout", timeout or 0, field="resourceLimits.timeout")
    return Limits(
        memory=memory or standard.memory,
        cpu=cpu or standard.cpu,
        timeout=timeout or standard.timeout,
        disk=standard.disk,
    )
