"""A workspace in memory."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Optional, Union

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.clock import ServiceClock
from buntime.service.workspace.base import (
    UNWATCHED,
    PathError,
    TooLargeError,
    WorkspaceEntry,
    WorkspaceGone,
)
from buntime.service.workspace.paths import check_disjoint, failure, hidden, normalise


@attrs.frozen
class _File:
    content: bytes
    modified: float
    version: int


@attrs.define
class _Folder:
    modified: float
    children: dict[str, Union[_File, _Folder]] = attrs.Factory(dict)


class MemoryWorkspace:
    """A tree of folders and files, dated by ``clock``. It has no links and no permissions."""

    exclusive: bool = False  # scripts write to it, too

    def __init__(self, clock: ServiceClock) -> None:
        self._clock = clock
        self._lock = reset_after_fork(threading.RLock())
        self._root: Optional[_Folder] = _Folder(clock.time())
        self._versions = 0

    def exists(self) -> bool:
        """Return whether it was not removed."""
        return self._root is not None

    def read(self, path: str, *, max_size: int | None = None) -> bytes:
        """Return a file's bytes."""
        with self._lock:
            node = self._existing(path)
        if isinstance(node, _Folder):
            raise failure(errno.EISDIR, path)
        if max_size is not None and len(node.content) > max_size:
            raise TooLargeError(len(node.content))
        return node.content

    def write(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """Create or overwrite one file, and the folders above it."""
        del executable
        self.write_all([(path, content)])

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write several files, or none if one of them cannot be written."""
        with self._lock:
            self._open_root()
            names = [normalise(path) for path, _ in files]
            check_disjoint(names)
            for name in names:
                if not name:
                    raise PathError("the path of a file is empty")
                if isinstance(self._lookup(name), _Folder):
                    raise failure(errno.EISDIR, name)
            for name, (_, content) in zip(names, files):
                folder, last = self._parent(name)
                self._versions += 1
                if last not in folder.children:
                    folder.modified = self._clock.time()
                folder.children[last] = _File(bytes(content), self._clock.time(), self._versions)

    def stat(self, path: str) -> WorkspaceEntry:
        """Return the entry at ``path``."""
        with self._lock:
            return _entry(normalise(path), self._existing(path))

    def list(self, path: str = "", *, offset: int = 0, limit: int | None = None) -> Sequence[WorkspaceEntry]:
        """Return the direct children of a directory, sorted by name."""
        with self._lock:
            folder = self._existing(path)
            if isinstance(folder, _File):
                raise failure(errno.ENOTDIR, path)
            prefix = normalise(path)
            names = sorted(name for name in folder.children if prefix or not hidden(name))
            return [
                _entry(f"{prefix}/{name}" if prefix else name, folder.children[name])
                for name in islice(names, offset, None if limit is None else offset + limit)
            ]

    def snapshot(self) -> dict[str, object]:
        """Return the version of every file that an execution may write; each write has a new one."""
        with self._lock:
            files = () if self._root is None else self._files(skip=UNWATCHED)
            return {name: file.version for name, file in files if not hidden(name)}

    def stamp(self, path: str) -> tuple[str, object]:
        """Return the path and the version of a file."""
        name = normalise(path)
        return name, self.snapshot().get(name)

    def file_count(self) -> int:
        """Return the number of files, without the service's own."""
        with self._lock:
            return sum(not hidden(name) for name, _ in self._files())

    def used(self) -> int:
        """Return how many bytes the files have together."""
        with self._lock:
            return sum(len(file.content) for _, file in self._files())

    def make_folder(self, path: str) -> None:
        """Make a folder, and those above it; ``NotADirectoryError`` if one of them is a file."""
        with self._lock:
            name = normalise(path)
            if isinstance(self._lookup(name), _File):
                raise failure(errno.ENOTDIR, path)
            self._parent(f"{name}/." if name else ".")

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete a file or a folder; a folder that is not empty only if ``recursive`` (``ENOTEMPTY``)."""
        with self._lock:
            node = self._existing(path)
            name = normalise(path)
            if not name:
                raise OSError(errno.EINVAL, "the workspace itself cannot be deleted", path)
            if isinstance(node, _Folder) and node.children and not recursive:
                raise failure(errno.ENOTEMPTY, path)
            self._detach(name)

    def move(self, source: str, target: str, *, overwrite: bool) -> None:
        """Rename a file or folder. ``FileExistsError``, unless a file may replace a file."""
        with self._lock:
            node = self._existing(source)
            old, new = normalise(source), normalise(target)
            if not old or not new or new.startswith(f"{old}/"):
                raise OSError(errno.EINVAL, "the workspace cannot be moved, nor a folder into itself", target)
            if new == old:
                return
            existing = self._lookup(new)
            replaceable = overwrite and isinstance(existing, _File) and isinstance(node, _File)
            if existing is not None and not replaceable:
                raise failure(errno.EEXIST, target)
            folder, last = self._parent(new)
            self._detach(old)
            folder.children[last] = node
            folder.modified = self._clock.time()

    def copy_to(self, source: str, target: str, *, overwrite: bool) -> None:
        """Copy a file or folder; ``FileExistsError`` as for :meth:`move`."""
        with self._lock:
            node = self._existing(source)
            old, new = normalise(source), normalise(target)
            if old == new or new.startswith(f"{old}/" if old else ""):
                raise OSError(errno.EINVAL, "nothing can be copied to itself or into itself", target)
            existing = self._lookup(new)
            replaceable = overwrite and isinstance(existing, _File) and isinstance(node, _File)
            if existing is not None and not replaceable:
                raise failure(errno.EEXIST, target)
            if isinstance(node, _File):
                self.write_all([(new, node.content)])
                return
            copy = _copy_folder(node)
            folder, last = self._parent(new)
            folder.children[last] = copy
            folder.modified = self._clock.time()

    def copy(self) -> MemoryWorkspace:
        """Return a copy that changes independently."""
        copy = MemoryWorkspace(self._clock)
        with self._lock:
            copy._root, copy._versions = _copy_folder(self._open_root()), self._versions
        return copy

    def remove(self) -> None:
        """Delete everything. Idempotent."""
        with self._lock:
            self._root = None

    def _open_root(self) -> _Folder:
        if self._root is None:
            raise WorkspaceGone
        return self._root

    def _lookup(self, name: str) -> Union[_File, _Folder, None]:
        """Return the node at a normalised path, if any; ``NotADirectoryError`` below a file."""
        node: Union[_File, _Folder] = self._open_root()
        for part in name.split("/") if name else ():
            if isinstance(node, _File):
                raise failure(errno.ENOTDIR, name)
            child = node.children.get(part)
            if child is None:
                return None
            node = child
        return node

    def _existing(self, path: str) -> Union[_File, _Folder]:
        try:
            node = self._lookup(normalise(path))
        except NotADirectoryError:
            node = None
        if node is None:
            raise failure(errno.ENOENT, path)
        return node

    def _parent(self, name: str) -> tuple[_Folder, str]:
        """Return the folder of a normalised path, created if needed, and the last part of the path."""
        *parts, last = name.split("/")
        folder = self._open_root()
        for part in parts:
            child = folder.children.get(part)
            if isinstance(child, _File):
                raise failure(errno.ENOTDIR, name)
            if child is None:
                folder.modified = self._clock.time()
                child = folder.children[part] = _Folder(folder.modified)
            folder = child
        return folder, last

    def _detach(self, name: str) -> None:
        folder, last = self._parent(name)
        del folder.children[last]
        folder.modified = self._clock.time()

    def _files(self, *, skip: frozenset[str] = frozenset()) -> Iterator[tuple[str, _File]]:
        pending = [("", self._open_root())]
        while pending:
            prefix, folder = pending.pop()
            for name, node in folder.children.items():
                if isinstance(node, _File):
                    yield prefix + name, node
                elif name not in skip:
                    pending.append((f"{prefix}{name}/", node))


def _copy_folder(folder: _Folder) -> _Folder:
    children = folder.children.items()
    return _Folder(
        folder.modified,
        {name: _copy_folder(node) if isinstance(node, _Folder) else node for name, node in children},
    )


def _entry(name: str, node: Union[_File, _Folder]) -> WorkspaceEntry:
    if isinstance(node, _Folder):
        return WorkspaceEntry(name, 0, node.modified, "directory")
    return WorkspaceEntry(name, len(node.content), node.modified, "file")
