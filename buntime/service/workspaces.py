"""Where the files of a session live."""

from __future__ import annotations

from typing import Literal, Protocol

import attrs


@attrs.frozen
class Entry:
    """A file or directory of a workspace: ``path`` relative to it, ``size`` in bytes, ``modified`` in epoch seconds."""

    path: str
    size: int
    modified: float
    type: Literal["file", "directory"]


class Workspace(Protocol):
    """The files of one session, under relative POSIX paths."""

    def read(self, path: str) -> bytes:
        """Return a file's bytes; ``FileNotFoundError``, ``IsADirectoryError`` or ``PathError`` where it cannot."""
        ...
