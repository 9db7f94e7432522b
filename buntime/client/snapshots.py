"""Saving the workspace of a session to an archive, and restoring it."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any, Union, cast

from buntime import _validate
from buntime._support.typing import Archive
from buntime.client.context import Context
from buntime.helpers import snapshots
from buntime.helpers.content import ChunkedContent
from buntime.helpers.local_files import write_file
from buntime.helpers.snapshots import ChunkReader, SnapshotWriter
from buntime.models import SnapshotResult


class Snapshots:
    """Saves and restores the workspace of one session."""

    def __init__(self, context: Context, session_id: str) -> None:
        self._context = context
        self._session_id = session_id
        self._content = ChunkedContent(context.files, context.helpers)

    def _writer(self, ignore: Union[str, Iterable[str]]) -> SnapshotWriter:
        return SnapshotWriter(self._context.helpers, self._content, self._session_id, ignore)

    def save(self, archive: Archive, ignore: Union[str, Iterable[str]]) -> SnapshotResult:
        """Write an archive; a file appears under its name when it is complete."""
        writer = self._writer(ignore)
        _check_binary("path", archive)
        with self._context.caller.one_deadline():
            if hasattr(archive, "write"):
                name = str(getattr(archive, "name", ""))
                for piece in writer.pieces(compress=name.endswith((".gz", ".tgz"))):
                    cast("IO[bytes]", archive).write(piece)
            else:
                target = _validate.local_path("path", archive)
                if target.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
                pieces = writer.pieces(compress=target.name.endswith((".gz", ".tgz")))
                write_file(target.resolve(), pieces, None)
        return writer.result()

    def restore(self, archive: Archive) -> SnapshotResult:
        """Write the members of an archive to the workspace."""
        with checked_archive("path", archive) as file, self._context.caller.one_deadline():
            return self.restore_checked(file)

    def restore_checked(self, file: Any) -> SnapshotResult:
        """Write the members of an open archive to the workspace."""
        return snapshots.restore(self._context.helpers, self._content, self._session_id, file)

    def copy_to(self, session_id: str) -> SnapshotResult:
        """Copy the workspace to another session; the result names what was not copied."""
        writer = self._writer(())
        with self._context.caller.one_deadline():
            reader = io.BufferedReader(ChunkReader(writer.pieces()), 1 << 20)
            restored = Snapshots(self._context, session_id).restore_checked(reader)
        saved = writer.result()
        return SnapshotResult(restored.files, restored.size, (), saved.skipped + restored.skipped)


def _check_binary(name: str, archive: Archive) -> None:
    if isinstance(archive, io.TextIOBase):
        raise TypeError(f"{name} must be a binary file or a path, not a {type(archive).__name__} for text")


@contextmanager
def checked_archive(name: str, archive: Archive) -> Iterator[IO[bytes]]:
    """Open an archive; one that can be read twice is checked before anything is sent."""
    _check_binary(name, archive)
    if hasattr(archive, "read"):
        file = cast("IO[bytes]", archive)
        if file.seekable():
            start = file.tell()
            snapshots.check_archive(file)
            file.seek(start)
        yield file
        return
    with open(_validate.local_path(name, archive), "rb") as opened:
        snapshots.check_archive(opened)
        opened.seek(0)
        yield opened
