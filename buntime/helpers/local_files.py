"""Folders of this machine, as a transfer reads and writes them."""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Callable, Optional

import attrs

from buntime.errors import InvalidResponseError
from buntime.helpers.content import read_chunks
from buntime.wire.responses import HIDDEN_FOLDER

_FORBIDDEN = set('<>:"\\|?*') if os.name == "nt" else set()
_HAS_MODES = os.name != "nt"


@attrs.frozen
class LocalEntry:
    """A file (``"file"``), folder (``"directory"``), or anything else (``"link"``, ``"other"``)."""

    full: Path
    type: str
    size: int = 0
    executable: Optional[bool] = None

    @classmethod
    def of(cls, full: Path, found: os.stat_result) -> LocalEntry:
        """Describe what was found; a folder has no size."""
        if stat.S_ISDIR(found.st_mode):
            return cls(full, "directory")
        if stat.S_ISLNK(found.st_mode):
            return cls(full, "link")
        if not stat.S_ISREG(found.st_mode):
            return cls(full, "other")
        executable = bool(found.st_mode & stat.S_IXUSR) if _HAS_MODES else None
        return cls(full, "file", found.st_size, executable)

    def sha256(self) -> str:
        """Return the hash of its content."""
        digest = hashlib.sha256()
        with open(self.full, "rb") as file:
            for chunk in read_chunks(file):
                digest.update(chunk)
        return digest.hexdigest()


def scan(root: Path, ignored: Callable[[str], bool]) -> dict[str, LocalEntry]:
    """Return what is below ``root`` and not ignored, by path with ``/``, parents first; links as they are."""
    found: dict[str, LocalEntry] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(root / folder) as children:
            for child in sorted(children, key=lambda child: child.name):
                path = f"{folder}/{child.name}" if folder else child.name
                entry = LocalEntry.of(Path(child.path), child.stat(follow_symlinks=False))
                is_folder = entry.type == "directory"
                if path == HIDDEN_FOLDER or ignored(f"{path}/" if is_folder else path):
                    continue
                found[path] = entry
                if is_folder:
                    folders.append(path)
    return dict(sorted(found.items()))


def resolve_links(root: Path, entries: Mapping[str, LocalEntry]) -> dict[str, LocalEntry]:
    """Return the entries with each link to a file inside ``root`` as that file.

    ``ValueError`` naming what cannot be sent: another link, a device, a name that is not Unicode.
    """
    real_root = root.resolve()
    return {path: _sendable(real_root, path, entry) for path, entry in entries.items()}


def _sendable(root: Path, path: str, entry: LocalEntry) -> LocalEntry:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{path!r} has a name that is not Unicode, which the service cannot carry") from None
    if entry.type == "other":
        raise ValueError(f"{path!r} is neither a file nor a folder; leave it out with ignore=")
    if entry.type != "link":
        return entry
    target = _resolved(entry.full)
    if root in target.parents and target.is_file():
        return LocalEntry.of(target, target.stat())
    raise ValueError(
        f"{path!r} is a link that does not lead to a file in the same folder; leave it out with ignore="
    )


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links, which older Pythons report as a RuntimeError
        return path


def check_names(paths: Iterable[str]) -> None:
    """Raise :class:`~buntime.InvalidResponseError` for a path that would leave the folder it is put into."""
    for path in paths:
        parts = path.split("/")
        if any(part in {"", ".", ".."} or _FORBIDDEN & set(part) for part in parts) or "\0" in path:
            raise InvalidResponseError(
                f"the session names a file {path!r}, which cannot be put into a folder here"
            )


class LocalFolder:
    """A folder that is written to, and nothing outside of it: no link below it is followed."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._made: set[Path] = set()

    def make(self, path: str) -> None:
        """Make a folder, and those above it."""
        full = self._root
        for part in ["", *path.split("/")] if path else [""]:
            full /= part
            if full in self._made:
                continue
            full.mkdir(parents=full == self._root, exist_ok=True)
            if not stat.S_ISDIR(full.lstat().st_mode):
                raise NotADirectoryError(f"{full} is a link in the place of a folder")
            self._made.add(full)

    def write(self, path: str, pieces: Iterable[bytes], executable: Optional[bool]) -> None:
        """Write a file, which is in its place only when all of it is there."""
        self.make(path.rpartition("/")[0])
        write_file(self._root / path, pieces, executable)

    def remove(self, paths: Iterable[str]) -> list[str]:
        """Delete files, links and empty folders; return those that are gone."""
        removed = []
        for path in sorted(paths, reverse=True):
            full = self._root / path
            try:
                if stat.S_ISDIR(full.lstat().st_mode):
                    full.rmdir()
                else:
                    full.unlink()
            except FileNotFoundError:
                continue
            except OSError:
                if full.is_dir() and any(full.iterdir()):
                    continue  # it holds what is ignored
                raise
            removed.append(path)
        return removed[::-1]

    def mark(self, path: str, executable: bool) -> None:
        """Make a file executable or not."""
        full = self._root / path
        full.chmod(_mode(full.lstat(), executable))


def _mode(found: os.stat_result, executable: Optional[bool]) -> int:
    mode = stat.S_IMODE(found.st_mode)
    if executable is None:
        return mode
    return mode | (mode & 0o444) >> 2 if executable else mode & ~0o111


def write_file(full: Path, pieces: Iterable[bytes], executable: Optional[bool]) -> None:
    """Write a file under a temporary name beside it, and rename it; nothing stays of a failure."""
    temporary = full.parent / f".buntime-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o777 if executable else 0o666)
    try:
        with open(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
                del piece  # a copy less in memory while the next one travels
        with suppress(FileNotFoundError):
            old = full.lstat()
            if stat.S_ISREG(old.st_mode):
                temporary.chmod(_mode(old, executable))
        temporary.replace(full)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def guard(root: Path, extra: Iterable[str]) -> None:
    """Raise ``ValueError`` where a mirror would delete files of the current or the home folder."""
    named = sorted(extra)
    if not named:
        return
    real = root.resolve()
    for name, place in (("current", Path()), ("home", Path("~").expanduser())):
        own = place.resolve()
        if real == own or real in own.parents:
            raise ValueError(
                f"the download would delete {len(named)} files and folders of {real}, such as {named[0]!r}, "
                f"and that holds the {name} folder; pass delete=False to keep them"
            )


def iterate_batches(
    items: Iterable[tuple[str, int]], *, most_bytes: int, most_path_bytes: int
) -> Iterator[list[str]]:
    """Yield the names of items in groups that are small enough to travel at once."""
    batch: list[str] = []
    size = names = 0
    for name, length in items:
        cost = len(name.encode()) + 100
        if batch and (size + length > most_bytes or names + cost > most_path_bytes):
            yield batch
            batch, size, names = [], 0, 0
        batch.append(name)
        size += length
        names += cost
    if batch:
        yield batch
