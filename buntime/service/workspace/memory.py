"""A workspace in memory."""

from __future__ import annotations

import errno
import threading
from collections.abc import Sequence
from itertools import islice

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.clock import Clock
from buntime.service.workspace.base import UNWATCHED, Entry, PathError, TooLargeError, WorkspaceGone
from buntime.service.workspace.paths import check_disjoint, failure, hidden, normalise, parents


@attrs.frozen
class _File:
    content: bytes
    modified: float
    version: int


class MemoryWorkspace:
    """Files in a dictionary, dated by ``clock``. It has no links and no permissions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = reset_after_fork(threading.RLock())
        self._files: dict[str, _File] = {}
        self._folders: dict[str, float] = {"": clock.time()}
        self._versions = 0

    def read(self, path: str, *, max_size: int | None = None) -> bytes:
        """Return a file's bytes."""
        with self._lock:
            name = self._existing(path)
            if name in self._folders:
                raise failure(errno.EISDIR, path)
            content = self._files[name].content
        if max_size is not None and len(content) > max_size:
            raise TooLargeError(len(content))
        return content

    def write(self, path: str, content: bytes) -> None:
        """Create or overwrite one file whole, and the folders above it."""
        self.write_all([(path, content)])

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write several files, or none where one of them cannot be written."""
        with self._lock:
            self._check_open()
            names = [normalise(path) for path, _ in files]
            check_disjoint(names)
            for name in names:
                self._check_writable(name)
            for name, (_, content) in zip(names, files):
                self._put(name, bytes(content))

    def stat(self, path: str) -> Entry:
        """Return what ``path`` names."""
        with self._lock:
            return self._entry(self._existing(path))

    def list(self, path: str = "", *, offset: int = 0, limit: int | None = None) -> Sequence[Entry]:
        """Return the direct children of a directory, sorted by name."""
        with self._lock:
            folder = self._existing(path)
            if folder in self._files:
                raise failure(errno.ENOTDIR, path)
            names = [name for name in (*self._folders, *self._files) if name and _parent(name) == folder]
            shown = sorted(name for name in names if folder or not hidden(name))
            return [self._entry(name) for name in islice(shown[offset:], limit)]

    def snapshot(self) -> dict[str, object]:
        """Return a stamp of every file that can be a result: a number that each write raises."""
        with self._lock:
            return {name: file.version for name, file in self._files.items() if _watched(name)}

    def file_count(self) -> int:
        """Return how many files there are, without the service's own."""
        with self._lock:
            self._check_open()
            return sum(not hidden(name) for name in self._files)

    def used(self) -> int:
        """Return how many bytes the files hold."""
        with self._lock:
            self._check_open()
            return sum(len(file.content) for file in self._files.values())

    def make_folder(self, path: str) -> None:
        """Make a folder, and those above it; ``NotADirectoryError`` where a file is in its place."""
        with self._lock:
            self._check_open()
            name = normalise(path)
            above = [*parents(name), name]
            if any(folder in self._files for folder in above):
                raise failure(errno.ENOTDIR, path)
            for folder in above:
                if folder not in self._folders:
                    self._folders[folder] = self._folders[_parent(folder)] = self._clock.time()

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete a file or a folder; ``OSError`` (``ENOTEMPTY``) for one with content, unless recursive."""
        with self._lock:
            name = self._existing(path)
            if not name:
                raise failure(errno.EINVAL, path)
            below = [each for each in (*self._files, *self._folders) if each.startswith(f"{name}/")]
            if below and not recursive:
                raise failure(errno.ENOTEMPTY, path)
            for each in (name, *below):
                self._files.pop(each, None)
                self._folders.pop(each, None)
            self._folders[_parent(name)] = self._clock.time()

    def move(self, source: str, target: str, *, overwrite: bool) -> None:
        """Rename a file or folder. ``FileExistsError`` unless it is a file that may replace a file."""
        with self._lock:
            old, new = self._existing(source), normalise(target)
            if not old or not new or (f"{new}/".startswith(f"{old}/") and new != old):
                raise failure(errno.EINVAL, target)
            if new == old:
                return
            if new in self._folders or (new in self._files and (not overwrite or old in self._folders)):
                raise failure(errno.EEXIST, target)
            self.make_folder(_parent(new))
            self._rename(old, new)
            self._folders[_parent(old)] = self._folders[_parent(new)] = self._clock.time()

    def _rename(self, old: str, new: str) -> None:
        for name in [name for name in self._files if f"{name}/".startswith(f"{old}/")]:
            self._versions += 1
            self._files[new + name[len(old) :]] = attrs.evolve(self._files.pop(name), version=self._versions)
        for name in [name for name in self._folders if f"{name}/".startswith(f"{old}/")]:
            self._folders[new + name[len(old) :]] = self._folders.pop(name)

    def remove(self) -> None:
        """Delete everything. Idempotent."""
        with self._lock:
            self._files.clear()
            self._folders.clear()

    def _check_open(self) -> None:
        if not self._folders:
            raise WorkspaceGone

    def _existing(self, path: str) -> str:
        self._check_open()
        name = normalise(path)
        if name not in self._files and name not in self._folders:
            raise failure(errno.ENOENT, path)
        return name

    def _check_writable(self, name: str) -> None:
        if not name:
            raise PathError("the path of a file is empty")
        if name in self._folders:
            raise failure(errno.EISDIR, name)
        if any(parent in self._files for parent in parents(name)):
            raise failure(errno.ENOTDIR, name)

    def _put(self, name: str, content: bytes) -> None:
        now = self._clock.time()
        for folder in parents(name):
            if folder not in self._folders:
                self._folders[folder] = now
                self._folders[_parent(folder)] = now
        if name not in self._files:
            self._folders[_parent(name)] = now
        self._versions += 1
        self._files[name] = _File(content, now, self._versions)

    def _entry(self, name: str) -> Entry:
        file = self._files.get(name)
        if file is None:
            return Entry(name, 0, self._folders[name], "directory")
        return Entry(name, len(file.content), file.modified, "file")


def _parent(name: str) -> str:
    return name.rpartition("/")[0]


def _watched(name: str) -> bool:
    return not hidden(name) and UNWATCHED.isdisjoint(name.split("/")[:-1])
