"""Creating, inspecting, attaching to and deleting sessions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from buntime import _validate
from buntime.calls.executions import Executions
from buntime.client.owned import OwnedSessions
from buntime.client.session import Session
from buntime.engine.caller import Caller
from buntime.models import ResourceLimits, SessionInfo
from buntime.wire import json, requests, responses

if TYPE_CHECKING:
    from buntime.client.files import Files


class Sessions:
    """Creates, inspects, attaches to and deletes sessions."""

    def __init__(self, caller: Caller, created: Optional[OwnedSessions] = None) -> None:
        self._caller = caller
        self._executions = Executions(caller)
        self._created = created

    @property
    def _files(self) -> Files:
        from buntime.client.files import Files

        return Files(self._caller)

    def __getstate__(self) -> Caller:
        return self._caller

    def __setstate__(self, caller: Caller) -> None:
        self.__init__(caller)  # type: ignore[misc]  # made anew

    def create(
        self,
        ttl: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        resource_limits: ResourceLimits | None = None,
        idempotency_key: str | None = None,
    ) -> Session:
        """Create a session. Use it as a context manager to have it deleted at the end of the block.

        Arguments:
            ttl: whole seconds the session lives, at least 300; the service's default is a day.
            metadata: a JSON object, at most 16 KB, that :meth:`info` shows again.
            resource_limits: other limits than the plan's, of memory, cpu and timeout; paid plans only.
            idempotency_key: two calls with one key and the same arguments make one session. Every call
                carries a key of its own where it is left out, so a retry never makes a second session.

        Raises ``ValueError`` or ``TypeError`` naming the argument, and the errors of every call.
        """
        check_limits(resource_limits)
        key = os.urandom(16).hex() if idempotency_key is None else _idempotency_key(idempotency_key)
        call = requests.create_session(_validate.ttl(ttl), json.metadata(metadata), resource_limits, key)
        # Measured from before the call, what is left is never overrated. With a key of the caller's the
        # session may have been made long ago.
        born = self._caller.monotonic() if idempotency_key is None else None
        made = self._caller.call(call, responses.created_session, idempotent=True)
        if self._created is not None:
            self._created.add(made.id)
        return Session(self, made, owned=True, born=born)

    def info(self, session_id: str) -> SessionInfo:
        """Return what the service says of a session; ``SessionNotFoundError`` where it has ended."""
        call = requests.session_info(_validate.session_id(session_id))
        return self._caller.call(call, responses.decode_session_info, idempotent=True)

    def attach(self, session_id: str) -> Session:
        """Return an existing session as an object, without asking the service. It is not deleted on exit."""
        made = responses.CreatedSession(id=_validate.session_id(session_id))
        return Session(self, made, owned=False)

    def delete(self, session_id: str) -> None:
        """Delete a session with its files and processes; ``SessionNotFoundError`` where it has ended."""
        call = requests.delete_session(_validate.session_id(session_id))
        self._caller.delete(call, responses.deleted)
        if self._created is not None:
            self._created.discard(session_id)


def check_limits(limits: ResourceLimits | None) -> None:
    """Check limits that a session is to be created with, before anything is sent."""
    if limits is None:
        return
    if not isinstance(limits, ResourceLimits):
        raise TypeError(f"resource_limits must be ResourceLimits, not {type(limits).__name__}")
    if limits.disk is not None:
        raise ValueError("resource_limits: disk cannot be asked for; the API takes memory, cpu and timeout")
    for name in ("memory", "cpu", "timeout"):
        _validate.amount(f"resource_limits: {name}", getattr(limits, name), whole=name != "cpu")


def _idempotency_key(value: str) -> str:
    key = _validate.text("idempotency_key", value)
    if not key or not key.isascii() or not key.isprintable():
        raise ValueError("idempotency_key must be printable ASCII and not empty")
    return key
