"""Creating, describing and deleting sessions."""

from __future__ import annotations

from typing import Any

import attrs

from buntime._http import Response
from buntime.service.errors import invalid
from buntime.service.executors import Limits
from buntime.service.requests import RequestFields, header
from buntime.service.responses import json_bytes, json_response, timestamp
from buntime.service.sessions.limits import DEFAULT_TTL, MAX_METADATA, MIN_TTL, Plan
from buntime.service.sessions.routes.context import Model, RequestContext, workspace_errors

_MAX_KEY = 255
REPLAYED = "Idempotency-Replayed"
"""The header, ``true``, of a response to an earlier request with the same idempotency key."""


def create(model: Model, context: RequestContext) -> Response:
    """``POST /sessions/create``: with an ``Idempotency-Key``, at most once in 24 hours."""
    key = header(context.request, "Idempotency-Key")
    fields = context.fields()
    if key is None:
        return json_response(_create(model, fields))
    if not 0 < len(key) <= _MAX_KEY:
        raise invalid("Idempotency-Key", f"Idempotency-Key must have 1 to {_MAX_KEY} characters")
    body, replayed = model.idempotency.once(key, fields.values, lambda: _create(model, fields))
    return json_response(body, headers=[(REPLAYED, "true")] if replayed else [])


def info(model: Model, context: RequestContext) -> Response:
    """``GET /sessions/{sessionId}``: the state of the session; this request does not wake it."""
    session = model.sessions.get(context.session_id)
    with workspace_errors(session, model.plan, ""):
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


def delete(model: Model, context: RequestContext) -> Response:
    """``DELETE /sessions/{sessionId}``: end its executions and delete its files."""
    model.sessions.end(context.session_id)
    return json_response({"deleted": True, "sessionId": context.session_id})


def _create(model: Model, fields: RequestFields) -> dict[str, Any]:
    session = model.sessions.open(
        ttl=_ttl(model.plan, fields),
        metadata=_metadata(fields),
        limits=_limits(model.plan, RequestFields(fields.object("resourceLimits"), prefix="resourceLimits.")),
    )
    return {
        "sessionId": session.id,
        "createdAt": timestamp(session.created),
        "expiresAt": timestamp(session.created + session.ttl),
        "previewUrl": model.executor.preview_url(session.id),
        "resourceLimits": attrs.asdict(session.limits),
    }


def _ttl(plan: Plan, fields: RequestFields) -> int:
    ttl = fields.optional_integer("ttl", MIN_TTL)
    if ttl is None:
        return DEFAULT_TTL
    plan.check("max_ttl", ttl, field="ttl")
    return ttl


def _metadata(fields: RequestFields) -> dict[str, Any]:
    metadata = fields.object("metadata")
    size = len(json_bytes(metadata))
    if size > MAX_METADATA:
        message = f"metadata has {size} bytes as JSON; it may have {MAX_METADATA}"
        raise invalid("metadata", message, limit="metadata", max=MAX_METADATA, value=size)
    return metadata


def _limits(plan: Plan, fields: RequestFields) -> Limits:
    memory = fields.optional_integer("memory", 1)
    cpu = fields.optional_number("cpu")
    timeout = fields.optional_integer("timeout", 1)
    if (memory or cpu or timeout) and not plan.resource_overrides:
        message = "resourceLimits cannot be set"
        raise plan.limit_error("resource_overrides", False, True, message, field="resourceLimits")
    plan.check("memory_per_execution", memory or 0, field="resourceLimits.memory")
    plan.check("execution_timeout", timeout or 0, field="resourceLimits.timeout")
    default = plan.default_limits()
    return Limits(memory or default.memory, cpu or default.cpu, timeout or default.timeout, default.disk)
