"""One session: a sandbox as an object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional, Union

import attrs

import buntime
from buntime._support.closing import ClosesWithBlock, close_after
from buntime._support.export import export
from buntime._support.log import logger
from buntime._support.other_names import checks_arguments
from buntime._support.owner import Owner
from buntime._support.typing import Archive
from buntime.client.context import Context
from buntime.client.other_names import missing_attribute
from buntime.client.session_programs import SessionPrograms
from buntime.errors import SessionNotFoundError
from buntime.models import ResourceLimits, SessionInfo
from buntime.wire.responses import CreatedSession

_PING_DEADLINE = 10.0


@checks_arguments
class Session(SessionPrograms, ClosesWithBlock):
    """One sandbox: a workspace of files in which code runs.

    ``client.sessions`` returns it: :meth:`create <buntime.Sessions.create>` and
    :meth:`attach <buntime.Sessions.attach>`. As a context manager it deletes a created session on exit, also
    when the block raises, without masking that exception.
    """

    def __init__(
        self,
        context: Context,
        created: CreatedSession,
        *,
        owned: bool,
        created_monotonic: Optional[float] = None,
    ) -> None:
        self._context = context
        self._created = created
        self._created_monotonic = created_monotonic
        self._owned = owned
        self._owner = Owner()

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    def _repr_html_(self) -> str:
        from buntime._support import html

        known = {"created": self.created_at, "expires": self.expires_at, "preview": self.preview_url}
        rows = [(name, str(value)) for name, value in known.items() if value is not None]
        return html.titled(f"Session {self.id}", html.table((), rows, len(rows)) if rows else "")

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            return missing_attribute(self, name)

    def __getstate__(self) -> dict[str, Any]:
        return {"context": self._context, "created": attrs.asdict(self._created, recurse=False)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        created = CreatedSession(**state["created"])
        self.__init__(state["context"], created, owned=False)  # type: ignore[misc]  # a new object

    def _leave_block(self, error: Optional[BaseException]) -> None:
        if self._owned and self._owner.is_this_process():
            context = self._context.for_cleanup(error)
            close_after(error, lambda: self._delete_existing(context), f"session {self.id} was not deleted")

    def _delete_existing(self, context: Context) -> None:
        try:
            context.delete_session(self.id)
            self._owned = False
        except SessionNotFoundError:
            logger().debug("session %s had ended before it was deleted", self.id)

    @property
    def files(self) -> buntime.SessionFiles:
        """The files of the session: :class:`~buntime.SessionFiles`."""
        from buntime.client.files import SessionFiles

        return SessionFiles(self._context, self.id)

    @property
    def created_at(self) -> Optional[datetime]:
        """When it was created, in UTC; ``None`` for an attached session until :meth:`info`."""
        return self._created.created_at

    @property
    def expires_at(self) -> Optional[datetime]:
        """When it expires, in UTC; ``None`` for an attached session until :meth:`info`."""
        return self._created.expires_at

    @property
    def preview_url(self) -> Optional[str]:
        """The URL of a server on the session's port 8080; ``None`` for an attached session."""
        return self._created.preview_url

    def snapshot(self, path: Archive, *, ignore: Union[str, Iterable[str]] = ()) -> buntime.SnapshotResult:
        """Save the workspace as a tar archive; return the counts, and the paths that it lacks.

        ``path`` is a local file, which appears when it is complete, or an open binary file; a name that ends
        with ``.gz`` or ``.tgz`` is compressed. ``ignore`` is as for :meth:`SessionFiles.upload`. Files are
        read a piece at a time; one that changes meanwhile raises :class:`~buntime.ConflictError`.
        """
        from buntime.client.snapshots import Snapshots

        return Snapshots(self._context, self.id).save(path, ignore)

    def restore(self, path: Archive) -> buntime.SnapshotResult:
        """Write the files, folders and links of a tar archive to the workspace; other files stay.

        ``ValueError``, before anything is sent, for an archive that is damaged or has a member that leads
        outside, a hard link or a device. An open file that cannot be read twice is checked while it is sent.
        """
        from buntime.client.snapshots import Snapshots

        return Snapshots(self._context, self.id).restore(path)

    def renew(
        self,
        ttl: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        resource_limits: Optional[ResourceLimits] = None,
    ) -> Session:
        """Return a new session with the files of this one, but without its processes.

        The arguments are those of :meth:`Sessions.create`. This session stays as it is. Files that cannot be
        copied are logged.
        """
        from buntime.client.creation import create_session
        from buntime.client.snapshots import Snapshots

        # The deletion after an error is a separate call, which begins after the deadline of this one.
        with ExitStack() as undo, self._context.caller.one_deadline():
            created, created_at = create_session(self._context, ttl, metadata, resource_limits)
            session = Session(self._context, created, owned=True, created_monotonic=created_at)
            undo.enter_context(delete_on_error(session))
            skipped = Snapshots(self._context, self.id).copy_to(session.id).skipped
        if skipped:
            logger().warning(
                "session %s lacks %d files of %s: %s", session.id, len(skipped), self.id, skipped
            )
        return session

    def info(self) -> SessionInfo:
        """Return the session's current state. An attached session then has its dates."""
        info = self._context.sessions.info(self.id)
        if self._created.expires_at is None:
            self._created = attrs.evolve(
                self._created, created_at=info.created_at, expires_at=info.expires_at
            )
        return info

    @property
    def remaining(self) -> Optional[float]:
        """Seconds until it expires, then 0; ``None`` if unknown.

        For an attached session it is unknown until :meth:`info`, and depends on this machine's date.
        """
        if self.expires_at is None:
            return None
        caller = self._context.caller
        if self._created_monotonic is None or self.created_at is None:
            return max(0.0, self.expires_at.timestamp() - caller.time())
        lifetime = (self.expires_at - self.created_at).total_seconds()
        return max(0.0, lifetime - (caller.monotonic() - self._created_monotonic))

    def stay_awake(self, *, interval: float = 60.0) -> buntime.StayAwake:
        """Return a context manager that keeps the session from falling asleep while its block runs.

        ``interval`` is the number of seconds between pings, at most 240: a session is idle after 300 s
        without a request, and asleep, with its processes killed, after 1,800 s. Each ping is an execution and
        counts as a request. Nothing extends a session's ``ttl``; see :attr:`remaining`.
        """
        from buntime.client.keepalive import StayAwake

        background = self._context.over(self._context.caller.for_background(deadline=_PING_DEADLINE))
        return StayAwake(background, self.id, interval=interval)

    def delete(self) -> None:
        """Delete it with its files and processes. Leaving its block will not delete it again."""
        self._context.delete_session(self.id)
        self._owned = False


@contextmanager
def delete_on_error(session: Session) -> Iterator[None]:
    """Delete a session whose files cannot be written."""
    try:
        yield
    except BaseException as error:
        session._leave_block(error)
        raise


export("buntime", Session)
