"""The folder that holds the workspaces on disk."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from buntime.service.workspace.disk import DiskWorkspace


class WorkspaceFolder:
    """Creates workspaces in the folder ``name`` of ``root``; by default in a temporary folder.

    The folder around the workspaces is this user's alone. A workspace is not enough: its programs may let
    others enter it, and leave a setuid program there.
    """

    def __init__(self, root: Path | None = None, name: str = "sessions") -> None:
        self._temporary = root is None
        if root is None:
            self.root: Path = Path(tempfile.mkdtemp(prefix="buntime-"))
        else:
            self.root = root.resolve() / name
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.root.chmod(0o700)

    def workspace(self, session_id: str) -> DiskWorkspace:
        """Return a new, empty workspace, which only this user can enter."""
        folder = self.root / session_id
        folder.mkdir(mode=0o700)
        return DiskWorkspace(folder)

    def remove(self) -> None:
        """Remove the folder if it is temporary, else if it is empty."""
        if self._temporary:
            shutil.rmtree(self.root, ignore_errors=True)
        else:
            with suppress(OSError):
                self.root.rmdir()
