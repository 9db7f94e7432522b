"""A lock on an open file, which no other process can have at the same time."""

from __future__ import annotations

from typing import IO


def lock_file(file: IO[bytes]) -> None:
    """Lock a file until it is closed, if the system has such locks: Windows has others.

    Raises ``BlockingIOError`` if another process has locked it, or this one by another ``open``.
    """
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
