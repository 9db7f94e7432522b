"""A program that started while another removed its temporary folder failed with FileNotFoundError."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime.service.workspace.root import WorkspaceFolder


def test_a_folder_that_another_program_removes_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was listed, and is gone when it is checked for its owner."""
    list_folder = Path.glob

    def glob(self: Path, pattern: str) -> Iterator[Path]:
        yield self / "buntime-removed"
        yield from list_folder(self, pattern)

    monkeypatch.setattr(Path, "glob", glob)
    folder = WorkspaceFolder()
    try:
        assert folder.workspace("ses_1").root.is_dir()
    finally:
        folder.remove()
