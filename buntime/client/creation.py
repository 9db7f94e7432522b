"""The request that creates a session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Optional

from buntime import _validate
from buntime.client.context import Context
from buntime.models import ResourceLimits
from buntime.wire import json
from buntime.wire.responses import CreatedSession


def create_session(
    context: Context,
    ttl: Optional[int],
    metadata: Optional[Mapping[str, Any]],
    resource_limits: Optional[ResourceLimits],
    idempotency_key: Optional[str] = None,
) -> tuple[CreatedSession, Optional[float]]:
    """Create a session that the client owns; return it and the monotonic time of its creation, if known.

    Arguments and errors are those of :meth:`Sessions.create <buntime.Sessions.create>`.
    """
    check_limits(resource_limits)
    key = os.urandom(16).hex() if idempotency_key is None else _idempotency_key(idempotency_key)
    # Measured before the call, so that the remaining time is never overestimated. With the caller's own
    # key the session may have been created long ago.
    created_at = context.caller.monotonic() if idempotency_key is None else None
    created = context.sessions.create(_validate.ttl(ttl), json.metadata(metadata), resource_limits, key)
    if context.owned is not None:
        context.owned.add(created.id)
    return created, created_at


def check_limits(limits: Optional[ResourceLimits]) -> None:
    """Check the limits of a session before anything is sent."""
    if limits is None:
        return
    if not isinstance(limits, ResourceLimits):
        raise TypeError(f"resource_limits must be ResourceLimits, not {type(limits).__name__}")
    if limits.disk is not None:
        raise ValueError("resource_limits: disk cannot be set; the API accepts memory, cpu and timeout")
    for name in ("memory", "cpu", "timeout"):
        _validate.amount(f"resource_limits: {name}", getattr(limits, name), integer=name != "cpu")


def _idempotency_key(value: str) -> str:
    key = _validate.text("idempotency_key", value)
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError("idempotency_key must be printable ASCII and not empty")
    return key
