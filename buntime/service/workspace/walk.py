"""Walking and removing directory trees."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from buntime.service.workspace.paths import MAX_DEPTH, STAGING_PREFIX
from buntime.service.workspace.resolve import FOLDER_FLAGS

_REMOVAL_ATTEMPTS = 20


def walk(
    folder: int, *, skip: frozenset[str] = frozenset(), prefix: str = ""
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield the relative path and entry of everything below a folder except folders.

    Links are yielded, never followed. Folders named in ``skip`` are not entered, nor folders deeper than 100.
    Entries that vanish during the walk are left out.
    """
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield prefix + entry.name, entry
            elif entry.name not in skip and prefix.count("/") < MAX_DEPTH:
                try:
                    child = os.open(entry.name, FOLDER_FLAGS, dir_fd=folder)
                except OSError:
                    continue  # vanished, or it must not be read
                try:
                    yield from walk(child, skip=skip, prefix=f"{prefix}{entry.name}/")
                finally:
                    os.close(child)


def entry_stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of an entry, of the link itself if it is one; ``None`` if it has vanished."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


def remove_tree(root: str) -> None:
    """Delete a directory with everything in it; nothing happens if it is missing.

    Handles read-only folders, trees of any depth, and files that a program creates during the removal.
    Raises ``OSError`` on failure.
    """
    attempts = _REMOVAL_ATTEMPTS
    while not _removed(root, patient=attempts > 1):
        attempts -= 1


def _removed(root: str, *, patient: bool) -> bool:
    """Try to remove it once. If ``patient``, return ``False`` for files that appeared during the removal."""
    try:
        _empty(root)
        Path(root).rmdir()
    except FileNotFoundError:
        return not os.path.lexists(root)
    except OSError as error:
        if patient and error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    return True


def _empty(root: str) -> None:
    Path(root).chmod(0o700)
    top = os.open(root, FOLDER_FLAGS)
    try:
        pending = ["."]
        while pending:
            name = pending.pop()
            pending.extend(_flatten(top, name))
            if name != ".":
                os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)


def _flatten(top: int, name: str) -> list[str]:
    """Delete the files of a folder and move its folders up to ``top``; return their names there.

    With every folder directly in ``top``, depth costs neither stack, nor open files, nor path length.
    """
    folder = os.open(name, FOLDER_FLAGS, dir_fd=top)
    moved = []
    try:
        with os.scandir(folder) as entries:
            children = list(entries)
        for child in children:
            if child.is_dir(follow_symlinks=False):
                moved.append(f"{STAGING_PREFIX}{secrets.token_hex(8)}")
                os.chmod(child.name, 0o700, dir_fd=folder)
                os.rename(child.name, moved[-1], src_dir_fd=folder, dst_dir_fd=top)
            else:
                os.unlink(child.name, dir_fd=folder)
    finally:
        os.close(folder)
    return moved
