"""The folder that holds the workspaces on disk."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO, Optional

from buntime._support.file_lock import lock_file
from buntime.service.workspace.disk import DiskWorkspace

_PREFIX = "buntime-"
_LOCK = ".lock"
"""A file in a temporary folder that is locked for as long as the program uses the folder."""


class WorkspaceFolder:
    """Creates workspaces in the folder ``name`` of ``root``; by default in a temporary folder.

    The folder around the workspaces is this user's alone. A workspace is not enough: its programs may let
    others enter it, and leave a setuid program there.

    A program that is killed leaves its temporary folder, which the next one to create such a folder removes.
    """

    def __init__(self, root: Path | None = None, name: str = "sessions") -> None:
        self._temporary = root is None
        self._lock: Optional[IO[bytes]] = None
        if root is None:
            _remove_unused(Path(tempfile.gettempdir()))
            while self._lock is None:
                self.root: Path = Path(tempfile.mkdtemp(prefix=_PREFIX))
                (self.root / _LOCK).touch()
                self._lock = _lock(self.root)
        else:
            self.root = root.resolve() / name
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)

    def workspace(self, session_id: str) -> DiskWorkspace:
        """Return a new, empty workspace, which only this user can enter.

        In a temporary folder it is the session's alone. In a folder that the user chose, the user may write
        to it from outside.
        """
        folder = self.root / session_id
        folder.mkdir(mode=0o700)
        return DiskWorkspace(folder, exclusive=self._temporary)

    def remove(self) -> None:
        """Remove the folder if it is temporary, else if it is empty."""
        if self._temporary:
            shutil.rmtree(self.root, ignore_errors=True)
            if self._lock is not None:
                self._lock.close()
        else:
            with suppress(OSError):
                self.root.rmdir()


def _lock(folder: Path) -> Optional[IO[bytes]]:
    """Lock a temporary folder; return ``None`` if another program has locked or removed it."""
    try:
        file = open(folder / _LOCK, "rb")  # noqa: SIM115 - the lock ends when it is closed
    except OSError:
        return None  # it is not a folder of ours, or another program has just removed it
    try:
        lock_file(file)
        if (folder / _LOCK).exists():
            return file
    except BlockingIOError:
        pass  # its program is running
    file.close()
    return None


def _remove_unused(temporary: Path) -> None:
    for folder in temporary.glob(f"{_PREFIX}*"):
        try:
            belongs_to_user = folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
        except FileNotFoundError:
            continue  # another program has just removed it
        lock = _lock(folder) if belongs_to_user else None
        if lock is not None:
            with lock:
                shutil.rmtree(folder, ignore_errors=True)
