"""The interface of a workspace: the files of one session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

import attrs

from buntime.service.workspace.paths import PathError

__all__ = [
    "DiskFullError",
    "PathError",
    "TooLargeError",
    "Workspace",
    "WorkspaceEntry",
    "WorkspaceGone",
    "changed",
]

UNWATCHED = frozenset({"node_modules", ".git"})
"""Folders, at any depth, whose files are not reported as written by an execution."""


@attrs.frozen
class WorkspaceEntry:
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
    """The disk under the workspace is full."""


class TooLargeError(Exception):
    """A file has more bytes than the reader allows. ``size`` is its size, as far as known."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


class Workspace(Protocol):
    """The files of one session.

    Every path goes through :func:`~buntime.service.workspace.paths.normalise`, so each method raises
    :class:`PathError` for one that leaves the workspace, and :class:`WorkspaceGone` after ``remove``.
    Safe to use from several threads, and while code runs in the workspace.
    """

    exclusive: bool
    """Whether only the session's executions and this object write to it: no other program knows of it."""

    def exists(self) -> bool:
        """Return whether it was not removed."""
        ...

    def read(self, path: str, *, max_size: int | None = None) -> bytes:
        """Return a file's bytes.

        Raises ``FileNotFoundError``, ``IsADirectoryError``, and :class:`TooLargeError` above
        ``max_size`` bytes.
        """
        ...

    def write(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """Create or overwrite one file atomically, and the folders above it.

        Raises ``IsADirectoryError``, ``NotADirectoryError`` if a folder of the path is a file,
        :class:`DiskFullError`, and :class:`PathError` if ``path`` is the workspace itself.
        """
        ...

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write several files, or none if one of them cannot be written; errors as for ``write``."""
        ...

    def make_folder(self, path: str) -> None:
        """Make a folder, and those above it; ``NotADirectoryError`` if one of them is a file."""
        ...

    def stat(self, path: str) -> WorkspaceEntry:
        """Return the entry at ``path``; ``FileNotFoundError`` if there is none."""
        ...

    def list(self, path: str = "", *, offset: int = 0, limit: int | None = None) -> Sequence[WorkspaceEntry]:
        """Return the direct children of a directory, sorted by name, without the service's own files.

        Skips the first ``offset`` and returns at most ``limit``; only those are read from the disk. Raises
        ``FileNotFoundError``, and ``NotADirectoryError`` if ``path`` is a file.
        """
        ...

    def snapshot(self) -> dict[str, object]:
        """Return a stamp for every file that an execution may write, to compare with :func:`changed`.

        Folders named ``node_modules`` and ``.git`` are not entered. Empty after ``remove``.
        """
        ...

    def stamp(self, path: str) -> tuple[str, object]:
        """Return the path of a file without links, and its stamp in a snapshot; errors as for ``stat``."""
        ...

    def file_count(self) -> int:
        """Return the number of files, including ``node_modules`` but not the service's own."""
        ...

    def used(self) -> int:
        """Return how many bytes all files have together, hidden ones included."""
        ...

    def remove(self) -> None:
        """Delete everything. Idempotent."""
        ...


def changed(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the paths, sorted, that are new or different in the second of two snapshots."""
    return sorted(path for path, stamp in after.items() if before.get(path) != stamp)
