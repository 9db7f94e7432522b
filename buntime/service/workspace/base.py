"""Where the files of a session live."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import attrs

from buntime.service.workspace.paths import PathError

__all__ = ["DiskFullError", "Entry", "PathError", "TooLargeError", "Workspace", "WorkspaceGone", "changed"]

UNWATCHED = frozenset({"node_modules", ".git"})
"""Folders whose files are no result of an execution, at any depth."""


@attrs.frozen
class Entry:
    """A file or directory of a workspace.

    ``path`` is relative to the workspace, ``size`` in bytes (0 for a directory), ``modified`` in epoch
    seconds.
    """

    path: str
    size: int
    modified: float
    type: Literal["file", "directory"]


class WorkspaceGone(Exception):  # noqa: N818 - a state of the workspace, not a mistake
    """The workspace was removed."""


class DiskFullError(Exception):
    """The disk under the workspace has no room left."""


class TooLargeError(Exception):
    """A file has more bytes than the reader asked for. ``size`` is how many, as far as known."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Workspace(Protocol):
    """The files of one session.

    Every path goes through :func:`~buntime.service.workspace.paths.normalise`, so each method raises
    :class:`PathError` for one that leaves the workspace, and :class:`WorkspaceGone` after ``remove``.
    Safe to use from several threads, and while code runs in the workspace.
    """

    def read(self, path: str, *, max_size: int | None = None) -> bytes:
        """Return a file's bytes.

        Raises ``FileNotFoundError``, ``IsADirectoryError``, and :class:`TooLargeError` above
        ``max_size`` bytes.
        """
        ...

    def write(self, path: str, content: bytes) -> None:
        """Create or overwrite one file whole, and the folders above it.

        Raises ``IsADirectoryError``, ``NotADirectoryError`` where a file is in the place of a folder,
        :class:`DiskFullError`, and :class:`PathError` where ``path`` is the workspace itself.
        """
        ...

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write several files, or none where one of them cannot be written; errors as for ``write``."""
        ...

    def stat(self, path: str) -> Entry:
        """Return what ``path`` names; ``FileNotFoundError`` where that is nothing."""
        ...

    def list(self, path: str = "", *, offset: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """Return the direct children of a directory, sorted by name, without the service's own.

        Of these, ``limit`` or all after the first ``offset``; only what is returned is looked at. Raises
        ``FileNotFoundError``, and ``NotADirectoryError`` where ``path`` is a file.
        """
        ...

    def snapshot(self) -> Mapping[str, object]:
        """Return a stamp of every file that can be a result; two of them compare with :func:`changed`.

        Folders named ``node_modules`` and ``.git`` are not entered. Empty after ``remove``.
        """
        ...

    def file_count(self) -> int:
        """Return how many files there are, ``node_modules`` included, the service's own not."""
        ...

    def used(self) -> int:
        """Return how many bytes the files hold, hidden ones included."""
        ...

    def remove(self) -> None:
        """Delete everything. Idempotent."""
        ...


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> Sequence[str]:
    """Return the paths, sorted, that are new or different in the second of two snapshots."""
    return sorted(path for path, stamp in after.items() if before.get(path) != stamp)
