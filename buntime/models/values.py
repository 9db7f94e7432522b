"""The values of sessions, files and processes."""


# Annotations are not strings here: to resolve them would take half of the time of importing this module.

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, Optional

import attrs

from buntime._support.export import export
from buntime._support.short_repr import short_repr
from buntime.models.base import Value, body_size, unknown_fields


@attrs.frozen(repr=False)
class ResourceLimits(Value):
    """The resources of a session: ``memory`` and ``disk`` in MB, ``cpu`` in cores, ``timeout`` in seconds.

    When you create a session, ``None`` means the plan's default, and ``disk`` cannot be set. In a response,
    ``None`` means that the service did not report the limit.
    """

    memory: Optional[int] = None
    cpu: Optional[float] = None
    timeout: Optional[int] = None
    disk: Optional[int] = None
    extra: Mapping[str, Any] = unknown_fields()


@attrs.frozen(repr=False)
class SessionInfo(Value):
    """The current state of a session.

    ``state`` is ``"active"``, ``"idle"`` or ``"deep-sleep"``; another value is passed through.
    """

    id: str
    created_at: Optional[datetime] = None
    expires_at: Optional[datetime] = None
    last_active: Optional[datetime] = None
    state: Optional[Literal["active", "idle", "deep-sleep"]] = None
    files_count: Optional[int] = None
    active_processes: Optional[int] = None
    metadata: Mapping[str, Any] = attrs.field(factory=dict)
    extra: Mapping[str, Any] = unknown_fields()


@attrs.frozen(repr=False)
class WriteResult(Value):
    """A file that was written: ``path`` relative to the workspace, ``size`` in bytes."""

    path: str
    size: int
    extra: Mapping[str, Any] = unknown_fields()


@attrs.frozen(repr=False)
class FileInfo(Value):
    """An entry of a folder: ``path`` relative to the workspace, ``size`` in bytes.

    ``type`` is ``"file"`` or ``"directory"``; another value is passed through. ``stat`` and
    ``list(recursive=True)`` also report ``target``, the path that a link contains, and ``mode``, the
    permissions such as ``0o644``; otherwise, and on the fake, they are ``None``.
    """

    path: str
    size: int
    modified: Optional[datetime]
    type: Literal["file", "directory"]
    extra: Mapping[str, Any] = unknown_fields()
    target: Optional[str] = attrs.field(default=None, kw_only=True)
    mode: Optional[int] = attrs.field(default=None, kw_only=True)

    def _row_(self) -> dict[str, Any]:
        modified = "" if self.modified is None else f"{self.modified:%Y-%m-%d %H:%M:%S}"
        link = "" if self.target is None else f" -> {self.target}"
        return {"path": self.path + link, "type": self.type, "size": self.size, "modified": modified}

    def _repr_html_(self) -> Optional[str]:
        from buntime._support import html

        return html.values([self])


@attrs.frozen(repr=False)
class TransferResult(Value):
    """The result of an upload or download.

    ``transferred`` are the paths of the files whose content or mode was sent, ``size`` their bytes.
    ``unchanged`` counts the files that were already the same. ``removed`` are the paths deleted at the
    target. ``skipped`` are the paths that could not be read or vanished meanwhile; nothing was deleted in
    place of them. A name of the session that is not UTF-8 has U+FFFD in its path.
    """

    transferred: tuple[str, ...] = attrs.field(repr=short_repr)
    unchanged: int
    removed: tuple[str, ...] = attrs.field(repr=short_repr)
    size: int
    skipped: tuple[str, ...] = attrs.field(default=(), repr=short_repr)


@attrs.frozen(repr=False)
class SnapshotResult(Value):
    """The result of a snapshot: the number of ``files`` in it, and their ``size`` in bytes.

    ``ignored`` are the paths that a pattern excluded, without those below an ignored folder. ``skipped`` are
    the paths that could not be saved or restored: unreadable files, sockets, links that lead outside.
    """

    files: int
    size: int
    ignored: tuple[str, ...] = attrs.field(default=(), repr=short_repr)
    skipped: tuple[str, ...] = attrs.field(default=(), repr=short_repr)


@attrs.frozen(repr=False)
class KillResult(Value):
    """The number of processes that were killed, and their ids."""

    killed: int
    pids: tuple[int, ...] = ()
    extra: Mapping[str, Any] = unknown_fields()


@attrs.frozen(repr=False)
class ProcessLogs(Value):
    """Output of a background process: a piece of stdout and of stderr.

    The offsets are in bytes: pass them to read the next piece.
    """

    stdout: str = attrs.field(repr=short_repr)
    stderr: str = attrs.field(repr=short_repr)
    stdout_offset: int
    stderr_offset: int


@attrs.frozen(repr=False)
class RateLimit(Value):
    """The ``X-RateLimit-*`` headers: requests allowed, requests remaining, and when the count restarts.

    ``reset`` is in Unix seconds. A header that is missing or not a number is ``None``.
    """

    limit: Optional[int]
    remaining: Optional[int]
    reset: Optional[int]


@attrs.frozen(repr=False)
class APIResponse(Value):
    """The response to :meth:`Buntime.request <buntime.Buntime.request>`."""

    status: int
    headers: Mapping[str, str]
    content: bytes = attrs.field(repr=body_size)

    @property
    def text(self) -> str:
        """The body as text, with U+FFFD for bytes that are not UTF-8."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body as JSON; ``ValueError`` if it is not JSON."""
        return json.loads(self.content)


export(
    "buntime",
    *(APIResponse, FileInfo, KillResult, ProcessLogs, RateLimit, ResourceLimits, SessionInfo, SnapshotResult),
    *(TransferResult, WriteResult),
)
