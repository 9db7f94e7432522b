"""Creating, inspecting, attaching to and deleting sessions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Optional

from buntime import _validate
from buntime._support.export import export
from buntime._support.other_names import checks_arguments
from buntime._support.typing import Archive
from buntime.client.context import Context
from buntime.client.creation import check_limits, create_session
from buntime.client.session import Session, delete_on_error
from buntime.models import ResourceLimits, SessionInfo
from buntime.wire.responses import CreatedSession


@checks_arguments
class Sessions:
    """Creates, inspects, attaches to and deletes sessions."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(
        self,
        ttl: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        resource_limits: Optional[ResourceLimits] = None,
        idempotency_key: Optional[str] = None,
        snapshot: Optional[Archive] = None,
    ) -> Session:
        """Create a session. Use it as a context manager to have it deleted at the end of the block.

        Arguments:
            ttl: whole seconds until the session expires, at least 300; the service's default is a day.
            metadata: a JSON object of at most 16 KB, which :meth:`info` returns.
            resource_limits: limits of memory, cpu and timeout other than the plan's; paid plans only.
            idempotency_key: two calls with the same key and arguments create one session. By default every
                call has a new key, so a retry never creates a second session.
            snapshot: an archive for :meth:`Session.restore`, which is checked before the session is created.

        Raises ``ValueError`` or ``TypeError`` naming the argument, and the errors of every call.
        """
        context = self._context
        check_limits(resource_limits)
        if snapshot is not None:
            from buntime.client.snapshots import Snapshots, checked_archive

            # The deletion after an error is a separate call, which begins after the deadline of this one.
            with (
                checked_archive("snapshot", snapshot) as archive,
                ExitStack() as undo,
                context.caller.one_deadline(),
            ):
                session = self.create(ttl, metadata, resource_limits, idempotency_key)
                undo.enter_context(delete_on_error(session))
                Snapshots(context, session.id).restore_checked(archive)
            return session
        created, created_at = create_session(context, ttl, metadata, resource_limits, idempotency_key)
        return Session(context, created, owned=True, created_monotonic=created_at)

    def info(self, session_id: str) -> SessionInfo:
        """Return the current state of a session; ``SessionNotFoundError`` if it has ended."""
        return self._context.sessions.info(_validate.session_id(session_id))

    def attach(self, session_id: str) -> Session:
        """Return an existing session as an object, without a request. It is not deleted on exit."""
        return Session(self._context, CreatedSession(_validate.session_id(session_id)), owned=False)

    def delete(self, session_id: str) -> None:
        """Delete a session with its files and processes; ``SessionNotFoundError`` if it has ended."""
        self._context.delete_session(_validate.session_id(session_id))


export("buntime", Sessions)
