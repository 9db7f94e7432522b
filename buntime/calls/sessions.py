"""Sessions: create, inspect, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from buntime.engine.caller import Caller
from buntime.models import ResourceLimits, SessionInfo
from buntime.wire import requests, responses
from buntime.wire.responses import CreatedSession


class SessionCalls:
    """The calls that concern sessions."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def create(
        self,
        ttl: int | None,
        metadata: Mapping[str, Any] | None,
        limits: ResourceLimits | None,
        idempotency_key: str,
    ) -> CreatedSession:
        """Create a session. Retries are safe because every attempt has the same key."""
        request = requests.create_session(ttl, metadata, limits, idempotency_key)
        return self._caller.call(request, responses.decode_created_session, idempotent=True)

    def info(self, session_id: str) -> SessionInfo:
        """Return the current state of a session."""
        request = requests.session_info(session_id)
        return self._caller.call(request, responses.decode_session_info, idempotent=True)

    def delete(self, session_id: str) -> None:
        """Delete a session."""
        self._caller.delete(requests.delete_session(session_id), responses.check_deleted)
