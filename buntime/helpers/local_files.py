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
from buntime.wire.constants import HIDDEN_FOLDER

_FORBIDDEN = set('<>:"\\|?*') if os.name == "nt" else set()
_HAS_MODES = os.name != "nt"


@attrs.frozen
class LocalEntry:
    """A file (``"file"``), folder (``"directory"``), or anything else (``"link"``, ``"other"``).

    ``readable`` is false for a folder that could not be opened.
    """

    full: Path
    type: str
    size: int = 0
    executable: Optional[bool] = None
    readable: bool = True

    @classmethod
    def of(cls, full: Path, status: os.stat_result) -> LocalEntry:
        """Return the entry for a path with this status. A folder has size 0."""
        if stat.S_ISDIR(status.st_mode):
            return cls(full, "directory")
        if not stat.S_ISREG(status.st_mode):
            return cls(full, "link" if stat.S_ISLNK(status.st_mode) else "other")
        executable = bool(status.st_mode & stat.S_IXUSR) if _HAS_MODES else None
        return cls(full, "file", status.st_size, executable)

    def sha256(self) -> str:
        """Return the hash of its content."""
        digest = hashlib.sha256()
        with open(self.full, "rb") as file:
            for chunk in read_chunks(file):
                digest.update(chunk)
        return digest.hexdigest()


def scan(root: Path, ignored: Callable[[str], bool]) -> dict[str, LocalEntry]:
    """Return everything below ``root`` that is not ignored, by path with ``/``, parents first.

    Links are not followed. What vanishes meanwhile is passed over.
    """
    entries: dict[str, LocalEntry] = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            children = _children(root / folder)
        except OSError as error:
            if not folder:
                raise
            if isinstance(error, PermissionError):
                entries[folder] = attrs.evolve(entries[folder], readable=False)
                continue
            if isinstance(error, (FileNotFoundError, NotADirectoryError)):
                del entries[folder]
                continue
            raise
        for name, entry in children:
            path = f"{folder}/{name}" if folder else name
            is_folder = entry.type == "directory"
            if path == HIDDEN_FOLDER or ignored(f"{path}/" if is_folder else path):
                continue
            entries[path] = entry
            if is_folder:
                folders.append(path)
    return dict(sorted(entries.items()))


def _children(folder: Path) -> list[tuple[str, LocalEntry]]:
    entries = []
    with os.scandir(folder) as children:
        for child in children:
            with suppress(FileNotFoundError):
                status = child.stat(follow_symlinks=False)
                entries.append((child.name, LocalEntry.of(Path(child.path), status)))
    return entries


def resolve_links(root: Path, entries: Mapping[str, LocalEntry]) -> dict[str, LocalEntry]:
    """Return the entries, with each link to a file inside ``root`` replaced by that file.

    ``ValueError`` for an entry that cannot be sent: another link, a device, a name that is not Unicode;
    ``PermissionError`` for one that cannot be read.
    """
    real_root = root.resolve()
    resolved = {}
    for path, entry in entries.items():
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{path!r} has a name that is not Unicode, so it cannot be sent") from None
        if entry.type == "other":
            raise ValueError(f"{path!r} is neither a file nor a folder; exclude it with ignore=")
        if not entry.readable or (entry.type == "file" and not os.access(entry.full, os.R_OK)):
            raise PermissionError(f"{path!r} cannot be read, so it cannot be sent; exclude it with ignore=")
        if entry.type == "link":
            try:
                target = entry.full.resolve()
            except (OSError, RuntimeError):  # a loop of links; older Pythons raise RuntimeError
                target = entry.full
            if real_root not in target.parents or not target.is_file():
                raise ValueError(
                    f"{path!r} is a link that does not lead to a file in the same folder; "
                    "exclude it with ignore="
                )
            resolved[path] = LocalEntry.of(target, target.stat())
        else:
            resolved[path] = entry
    return resolved


def without(entries: Mapping[str, LocalEntry], remote: Iterable[str]) -> dict[str, LocalEntry]:
    """Return the entries that are neither one of the paths ``remote`` nor below one.

    A session lists a name that is not UTF-8 with U+FFFD in it.
    """
    excluded = set(remote)
    remaining = {}
    for path, entry in entries.items():
        parts = os.fsencode(path).decode("utf-8", "replace").split("/")
        if not any("/".join(parts[: count + 1]) in excluded for count in range(len(parts))):
            remaining[path] = entry
    return remaining


def check_names(paths: Iterable[str]) -> None:
    """Raise :class:`~buntime.InvalidResponseError` for a path that would leave its folder."""
    for path in paths:
        parts = path.split("/")
        if any(part in {"", ".", ".."} or _FORBIDDEN & set(part) for part in parts) or "\0" in path:
            raise InvalidResponseError(f"the session lists a file {path!r}, which cannot be created here")


class LocalFolder:
    """A folder to write to. Nothing outside of it is written: no link below it is followed."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._checked: set[Path] = set()

    def make(self, path: str) -> None:
        """Create a folder, and those above it."""
        full = self._root
        for part in ["", *path.split("/")] if path else [""]:
            full /= part
            if full in self._checked:
                continue
            full.mkdir(parents=full == self._root, exist_ok=True)
            if not stat.S_ISDIR(full.lstat().st_mode):
                raise NotADirectoryError(f"{full} is a link in place of a folder")
            self._checked.add(full)

    def write(self, path: str, pieces: Iterable[bytes], executable: Optional[bool]) -> None:
        """Write a file, which appears under its name only when it is complete."""
        self.make(path.rpartition("/")[0])
        write_file(self._root / path, pieces, executable)

    def remove(self, paths: Iterable[str]) -> list[str]:
        """Delete files, links and empty folders; return those that were deleted."""
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
                    continue  # it contains ignored files
                raise
            removed.append(path)
        return removed[::-1]

    def set_executable(self, path: str, executable: bool) -> None:
        """Make a file executable or not."""
        full = self._root / path
        full.chmod(_mode(full.lstat(), executable))


def _mode(status: os.stat_result, executable: Optional[bool]) -> int:
    mode = status.st_mode & 0o777  # new content must not inherit setuid and setgid
    if executable is None:
        return mode
    return mode | (mode & 0o444) >> 2 if executable else mode & ~0o111


def write_file(full: Path, pieces: Iterable[bytes], executable: Optional[bool]) -> None:
    """Write a file under a temporary name beside it, then rename it; a failure leaves nothing behind.

    ``FileExistsError`` if there is a device, a pipe or a socket, before the first piece is requested.
    """
    if full.exists() and not full.is_file() and not full.is_dir():
        raise FileExistsError(f"{full} is a device, a pipe or a socket, and is not replaced by a file")
    temporary = full.parent / f".buntime-{secrets.token_hex(8)}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o777 if executable else 0o666)
    try:
        with open(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
                del piece  # frees a copy while the next piece is requested
        with suppress(FileNotFoundError):
            old = full.lstat()
            if stat.S_ISREG(old.st_mode):
                temporary.chmod(_mode(old, executable))
        temporary.replace(full)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def refuse_dangerous_delete(root: Path, extra: Iterable[str]) -> None:
    """Raise ``ValueError`` if a download would delete files in the current or the home folder."""
    paths = sorted(extra)
    if not paths:
        return
    real = root.resolve()
    for name, folder in (("current", Path()), ("home", Path("~").expanduser())):
        protected = folder.resolve()
        if real == protected or real in protected.parents:
            raise ValueError(
                f"the download would delete {len(paths)} files and folders of {real}, such as {paths[0]!r}, "
                f"and {real} contains the {name} folder; omit delete=True to keep them"
            )


def iterate_batches(
    items: Iterable[tuple[str, int]], *, most_bytes: int, most_path_bytes: int
) -> Iterator[list[str]]:
    """Yield the names of items in groups that are small enough for one request."""
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
