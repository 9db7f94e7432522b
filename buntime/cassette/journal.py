"""The ``.part`` file: the finished interactions of a recording, safe from the end of the process."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Optional

import attrs

from buntime._support.file_lock import lock_file
from buntime._support.forks import reset_after_fork
from buntime._support.packed import Line, encode_parts
from buntime.cassette.file import AnyPath, Cassette, journal_line, load, save
from buntime.cassette.ids import Numbering
from buntime.errors import CassetteError

_BLANK = bytes(byte if byte == ord("\n") else ord(" ") for byte in range(256))


class Journal:
    """A file to which each finished interaction is appended in one write.

    Nothing of it is lost when the process is killed, as the operating system has what was written. The file
    is locked if the system has locks: one recording of a cassette at a time. A forked child lets go of it,
    as it could hold the lock for longer than its parent lives.
    """

    def __init__(self, path: Path, head: str) -> None:
        self.path = path
        self._file: Optional[IO[bytes]] = None
        self._size = 0
        self._position = 0
        reset_after_fork(self)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not "w", which empties the file of another recording, nor "a", which cannot seek.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
            self._file = open(descriptor, "r+b", buffering=0)  # noqa: SIM115 - closed by end()
            _lock(self._file)
            self._file.truncate(0)
            self.append(head)
        except OSError as error:
            self._release()
            raise CassetteError(f"the recording cannot be written to {path}: {error}") from error

    def append(self, line: Line) -> int:
        """Add a line in ASCII and return its position. Raises ``OSError``."""
        position = self._size
        self._size = self._write(position, encode_parts(line))
        return position

    def replace(self, position: int, old: Line, new: Line) -> int:
        """Replace a line and return the position of the new one. Raises ``OSError``.

        The new line comes first: a process that is killed in between leaves both, and not neither.
        """
        moved = self.append(new)
        self._write(position, (part.translate(_BLANK) for part in encode_parts(old)))
        return moved

    def _write(self, position: int, parts: Iterable[bytes]) -> int:
        """Write to a position and return the end."""
        if self._file is not None and position != self._position:
            self._file.seek(position)
        self._position = -1  # not known after an error
        for part in parts:
            position += len(part)
            while part and self._file is not None:
                part = part[self._file.write(part) or 0 :]  # noqa: PLW2901 - the rest that is not written
        self._position = position
        return position

    def end(self, *, keep: bool = False) -> None:
        """Remove the file, unless it is to be kept."""
        if self._file is None:
            return
        if os.name == "nt":  # an open file cannot be removed there
            self._release()
        if not keep:
            with suppress(OSError):
                self.path.unlink()
        self._release()

    def _release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    _at_fork_reinit = _release


def recover(part: AnyPath, target: AnyPath) -> Cassette:
    """Make a cassette of an interrupted recording, whose file is removed.

    Raises :class:`~buntime.CassetteError` if the recording is still going on, or cannot be read or written.
    """
    cassette = load(part)
    ids = Numbering(cassette.interactions)
    lines = (journal_line(number, item.data) for number, item in enumerate(cassette.interactions))
    cassette = attrs.evolve(cassette, interactions=tuple(map(ids.renumber, lines)))
    try:
        with open(part, "rb") as file:
            _lock(file)
        save(target, cassette)
        Path(part).unlink()
    except OSError as error:
        raise CassetteError(f"the recording {os.fspath(part)} cannot be recovered: {error}") from error
    return cassette


def _lock(file: IO[bytes]) -> None:
    try:
        lock_file(file)
    except BlockingIOError:
        raise OSError("another recording of the same cassette is going on") from None
