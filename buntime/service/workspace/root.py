"""The folder that holds the workspaces on disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from buntime.service.workspace.disk import DiskWorkspace


class WorkspaceFolder:
    """Makes workspaces in ``root``, or in a temporary folder of its own where that is ``None``."""

    def __init__(self, root: Path | None = None) -> None:
        self._temporary = root is None
        if root is None:
            self.root = Path(tempfile.mkdtemp(prefix="buntime-"))
        else:
            self.root = root.resolve()
            self.root.mkdir(parents=True, exist_ok=True)

    def workspace(self, session_id: str) -> DiskWorkspace:
        """Return a new, empty workspace, which only this user can enter."""
        folder = self.root / session_id
        folder.mkdir(mode=0o700)
        return DiskWorkspace(folder)

    def remove(self) -> None:
        """Remove the folder if it is temporary."""
        if self._temporary:
            shutil.rmtree(self.root, ignore_errors=True)
