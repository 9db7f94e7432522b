"""The workspace of a session as a tar archive, written and read a piece at a time."""

from __future__ import annotations

import io
import json
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import IO, Any, Optional

from buntime import _validate
from buntime.errors import BuntimeError
from buntime.helpers.content import PIECE, ChunkedContent, pack_file, read_chunks, rechunk
from buntime.helpers.ignore import expression, matcher
from buntime.helpers.runner import Helpers, changed_meanwhile, is_unavailable, list_of
from buntime.helpers.small_files import fetch_small, is_small
from buntime.helpers.tree import RemoteEntry, RemoteTree
from buntime.models import SnapshotResult
from buntime.wire.constants import HIDDEN_FOLDER, WORKSPACE

_BLOCK = tarfile.BLOCKSIZE
_MEMBERS_SENT = 5000
"""Members of an archive in one request."""


class SnapshotWriter:
    """Reads the workspace of a session as an archive; :meth:`result` is complete after the last piece."""

    def __init__(self, helpers: Helpers, content: ChunkedContent, session_id: str, ignore: Any) -> None:
        self._helpers = helpers
        self._content = content
        self._session_id = session_id
        self._is_ignored = matcher(expression(ignore))
        self._files = self._size = 0
        self._ignored: list[str] = []
        self._skipped: list[str] = []

    def result(self) -> SnapshotResult:
        """Return the counts, and the paths that the archive lacks."""
        return SnapshotResult(
            self._files, self._size, tuple(sorted(self._ignored)), tuple(sorted(self._skipped))
        )

    def pieces(self, *, compress: bool = False) -> Iterator[bytes]:
        """Yield the bytes of the archive, as gzip if ``compress``."""
        if not compress:
            yield from self._tar()
            return
        compressor = zlib.compressobj(wbits=31)
        for piece in self._tar():
            yield compressor.compress(piece)
        yield compressor.flush()

    def _tar(self) -> Iterator[bytes]:
        # Links are last, so that restoring the archive never writes through one of them.
        files: dict[str, RemoteEntry] = {}
        links: list[bytes] = []
        for path, entry in self._included():
            if entry.link:
                target = _link_inside(path, entry.target or "")
                if entry.type == "other" or target is None:
                    self._skipped.append(path)
                else:
                    links.append(_header(path, entry, tarfile.SYMTYPE, target=target))
            elif entry.type == "directory":
                yield _header(path, entry, tarfile.DIRTYPE)
            elif entry.type == "file":
                files[path] = entry
            else:
                self._skipped.append(path)
        yield from self._contents(files)
        yield from links
        yield bytes(2 * _BLOCK)

    def _included(self) -> Iterator[tuple[str, RemoteEntry]]:
        ignored_folder = None
        # With a slash after folders, what is below one follows it directly.
        entries = RemoteTree.read(self._helpers, self._session_id, "").entries
        is_folder = {path: entry.type == "directory" and not entry.link for path, entry in entries.items()}
        for name in sorted(f"{path}/" if is_folder[path] else path for path in entries):
            path = name.rstrip("/")
            if ignored_folder is not None and name.startswith(ignored_folder):
                continue
            if self._is_ignored(name):
                self._ignored.append(path)
                ignored_folder = name if is_folder[path] else None
            elif not entries[path].readable:
                self._skipped.append(path)
            else:
                yield path, entries[path]

    def _contents(self, files: Mapping[str, RemoteEntry]) -> Iterator[bytes]:
        large = [path for path, entry in files.items() if not is_small(entry.size)]
        small = {path: entry.size for path, entry in files.items() if is_small(entry.size)}
        for path, content in fetch_small(self._helpers, self._session_id, "", small):
            if content is None:
                large.append(path)
            else:
                yield from self._file(path, files[path], len(content), iter([content]))
        for path in large:
            pieces = self._content.read(self._session_id, path)
            try:
                first = next(pieces)
            except BuntimeError as error:
                if not is_unavailable(error):
                    raise
                self._skipped.append(path)
                continue
            size = files[path].size if len(first) == PIECE else len(first)
            yield from self._file(path, files[path], size, chain((first,), pieces))

    def _file(self, path: str, entry: RemoteEntry, size: int, pieces: Iterator[bytes]) -> Iterator[bytes]:
        yield _header(path, entry, tarfile.REGTYPE, size=size)
        written = 0
        for piece in pieces:
            written += len(piece)
            yield piece
        if written != size:
            raise changed_meanwhile(f"{path!r} changed while it was transferred")
        yield bytes(-size % _BLOCK)
        self._files += 1
        self._size += size


def _header(path: str, entry: RemoteEntry, kind: bytes, *, size: int = 0, target: str = "") -> bytes:
    info = tarfile.TarInfo(path)
    info.type, info.size, info.linkname = kind, size, target
    info.mtime = int(entry.modified.timestamp()) if entry.modified else 0
    info.mode = entry.mode if entry.mode is not None else 0o755 if kind == tarfile.DIRTYPE else 0o644
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _link_inside(path: str, target: str) -> Optional[str]:
    """Return the target of a link relative to its folder; ``None`` if it leaves the workspace."""
    folder = posixpath.dirname(path)
    if f"{target}/".startswith(f"{WORKSPACE}/"):
        target = posixpath.relpath(target, posixpath.join(WORKSPACE, folder))
    inside = posixpath.normpath(posixpath.join(folder, target))
    return None if not target or inside.startswith("/") or inside.split("/")[0] == ".." else target


def check_archive(archive: IO[bytes]) -> None:
    """Read an archive to its end; ``ValueError`` if it cannot be restored."""
    for _ in _members(archive):
        pass


class _SmallMembers:
    """Writes small members of an archive to a session, many per call."""

    def __init__(self, helpers: Helpers, session_id: str) -> None:
        self._helpers = helpers
        self._session_id = session_id
        self._items: list[dict[str, Any]] = []
        self._size = 0
        self.skipped: list[str] = []
        """The paths of members that a session without links cannot have."""

    def add(self, item: dict[str, Any], size: int) -> None:
        """Write a member of about ``size`` bytes, now or together with later ones."""
        self._items.append(item)
        self._size += size
        if self._size > PIECE or len(self._items) >= _MEMBERS_SENT:
            self.flush()

    def flush(self) -> None:
        """Write the members that were added last."""
        if not self._items:
            return
        content = json.dumps(self._items)
        reply = self._helpers.run_staged(self._session_id, "file_unpack", content, path=".")
        if reply.get("skipped") is not None:
            self.skipped += list_of(reply, "skipped", str)
        self._items, self._size = [], 0


def restore(helpers: Helpers, content: ChunkedContent, session_id: str, archive: IO[bytes]) -> SnapshotResult:
    """Write the members of an archive to a session, small ones many per call."""
    files = size = 0
    small = _SmallMembers(helpers, session_id)
    for tar, member, path in _members(archive):
        executable = bool(member.mode & 0o100)
        file = tar.extractfile(member) if member.isreg() else None
        if file is None:
            link = member.linkname if member.issym() else None
            item = {**pack_file(path, None, None), "link": link}
        else:
            files += 1
            size += member.size
            if not is_small(member.size):
                content.write_pieces(session_id, path, rechunk(read_chunks(file)), executable=executable)
                continue
            item = pack_file(path, file.read(), executable)
        small.add(item, member.size + len(path) + len(member.linkname))
    small.flush()
    return SnapshotResult(files, size, (), tuple(small.skipped))


def _members(archive: IO[bytes]) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo, str]]:
    """Yield the members with their paths, checked; ``ValueError`` for one that leads outside."""
    try:
        with tarfile.open(fileobj=archive, mode="r|*") as tar:
            for member in tar:
                parts = [part for part in member.name.split("/") if part not in {"", "."}]
                path = "/".join(parts)
                if member.name.startswith("/") or ".." in parts:
                    raise ValueError(
                        f"the archive has a member {member.name!r}, which leads outside the workspace"
                    )
                if not (member.isreg() or member.isdir() or member.issym()):
                    raise ValueError(
                        f"the archive has a member {path!r}, which is not a file, a folder or a symbolic link"
                    )
                if member.issym() and _link_inside(path, member.linkname) is None:
                    raise ValueError(f"the archive has a link {path!r}, which leads outside the workspace")
                if parts and parts[0] != HIDDEN_FOLDER:
                    yield tar, member, _validate.path("a member of the archive", path)
                tar.members.clear()  # type: ignore[attr-defined]  # the list grows with each member
    except (tarfile.TarError, EOFError, zlib.error) as error:
        name = getattr(archive, "name", "")
        label = f"the archive {name}" if isinstance(name, str) and name else "the archive"
        raise ValueError(f"{label} is damaged, or not a tar archive: {error}") from error


class ChunkReader(io.RawIOBase):
    """A binary file over an iterator of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        """Return true."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read at most as many bytes as the buffer has."""
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
