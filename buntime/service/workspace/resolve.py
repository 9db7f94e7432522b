"""Resolving a path with ``openat``, so that no symlink leads out, even one created during the walk."""

from __future__ import annotations

import errno
import os
from collections import deque
from types import TracebackType

from buntime.service.workspace.base import PathError, WorkspaceGone
from buntime.service.workspace.paths import MAX_DEPTH, WORKSPACE

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MAX_LINKS = 40


def open_root(root: str) -> int:
    """Return a descriptor of the workspace; :class:`WorkspaceGone` if it was removed."""
    try:
        return os.open(root, FOLDER_FLAGS)
    except FileNotFoundError as error:
        raise WorkspaceGone from error


class PathWalker:
    """A walk from the workspace at ``root`` towards one path, one component at a time.

    The kernel never follows a link: each link is read here, and its target is walked in turn. A target is
    relative, or absolute below ``/workspace`` or below ``root``; one outside raises :class:`PathError`. The
    walk keeps a descriptor of every folder on the way until it is closed, so ``..`` goes back to the folder
    that was entered, also if the program has moved it since.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._open = [open_root(root)]
        self._names: list[str] = []
        self._links = 0

    def __enter__(self) -> PathWalker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for descriptor in self._open:
            os.close(descriptor)

    @property
    def folder(self) -> int:
        """The descriptor of the current folder."""
        return self._open[-1]

    def path(self, name: str) -> str:
        """Return the path of ``name`` in the current folder, without links."""
        return "/".join([*self._names, name])

    def to(self, path: str, *, create: bool = False) -> str:
        """Walk to the folder that holds the normalised ``path``; return the name in it.

        The name is not a link and may be missing; ``"."`` is the folder itself. With ``create``, missing
        folders are created. Raises ``FileNotFoundError`` and
        ``NotADirectoryError``.
        """
        pending = deque(_parts(path))
        while pending:
            part = pending.popleft()
            if part == "..":
                self._leave()
                continue
            target = self._link(part)
            if target is not None:
                pending.extendleft(reversed(self._target_parts(target)))
            elif pending:
                self._enter(part, create=create)
            else:
                return part
        return "."

    def _link(self, name: str) -> str | None:
        try:
            return os.readlink(name, dir_fd=self.folder)
        except OSError as error:
            # EINVAL: it is not a link. ENOENT: it is missing, which the next step reports or creates.
            if error.errno in {errno.EINVAL, errno.ENOENT}:
                return None
            raise

    def _target_parts(self, target: str) -> list[str]:
        self._links += 1
        if self._links > _MAX_LINKS:
            raise PathError("too many links in the path")
        if not target.startswith("/"):
            return _parts(target)
        for prefix in (WORKSPACE, self._root):
            if target == prefix or target.startswith(f"{prefix}/"):
                self._shrink(1)
                return _parts(target[len(prefix) :])
        raise PathError(f"a link in the path leaves {WORKSPACE}")

    def _enter(self, name: str, *, create: bool) -> None:
        if len(self._open) > MAX_DEPTH:
            raise PathError(f"a path may be {MAX_DEPTH} folders deep")
        # O_NOFOLLOW in the flags: if a program replaced the folder by a link since readlink, this fails.
        try:
            descriptor = os.open(name, FOLDER_FLAGS, dir_fd=self.folder)
        except FileNotFoundError:
            if not create:
                raise
            make_folder(name, self.folder)
            descriptor = os.open(name, FOLDER_FLAGS, dir_fd=self.folder)
        self._open.append(descriptor)
        self._names.append(name)

    def _leave(self) -> None:
        if len(self._open) == 1:
            raise PathError(f"a link in the path leaves {WORKSPACE}")
        self._shrink(len(self._open) - 1)

    def _shrink(self, length: int) -> None:
        while len(self._open) > length:
            os.close(self._open.pop())
            self._names.pop()


def make_folder(name: str, parent: int) -> None:
    """Make a folder in another; nothing happens if it exists."""
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]
