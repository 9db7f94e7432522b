"""The ``.part`` file: what has been recorded so far, safe from the end of the process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Optional

from buntime._support.forks import reset_after_fork
from buntime.errors import CassetteError


class Journal:
    """A file to which each finished interaction is appended in one write.

    Nothing of it is lost when the process is killed, as what was written is the operating system's. It
    is locked where there are locks: one recording of a cassette at a time. A forked child lets go of it,
    as it could hold the lock for longer than its parent lives.
    """

    def __init__(self, path: Path, head: bytes) -> None:
        self.path = path
        self._head = head
        self._file: Optional[IO[bytes]] = None
        reset_after_fork(self)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - closed by end()
            _lock(self._file)
            self._file.truncate(0)
            self._write(head)
        except OSError as error:
            self._release()
            raise CassetteError(f"the recording cannot be written to {path}: {error}") from error

    def append(self, line: bytes) -> None:
        """Add the line of an interaction. Raises ``OSError``."""
        self._write(line)

    def rewrite(self, lines: Iterable[bytes]) -> None:
        """Replace what was written. Raises ``OSError``."""
        if self._file is not None:
            self._file.truncate(0)
            self._write(b"".join((self._head, *lines)))

    def _write(self, data: bytes) -> None:
        while self._file is not None and data:
            data = data[self._file.write(data) or 0 :]

    def end(self, *, keep: bool = False) -> None:
        """Remove the file, unless it is to be kept."""
        if self._file is None:
            return
        if os.name == "nt":  # where an open file cannot be removed
            self._release()
        if not keep:
            with suppress(OSError):
                self.path.unlink()
        self._release()

    def _at_fork_reinit(self) -> None:
        self._release()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: IO[bytes]) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has other locks
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError("another recording of the same cassette is going on") from None
