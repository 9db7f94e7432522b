"""Walking and removing directory trees that change concurrently."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime.service.workspace.paths import MAX_DEPTH
from buntime.service.workspace.walk import entry_stat, remove_tree, walk


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    """Return a descriptor of ``tmp_path``."""
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def test_a_folder_that_vanishes_is_skipped(folder: int, tmp_path: Path) -> None:
    """Its files are missing from the walk, which continues."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    paths = []
    for path, _ in walk(folder):
        paths.append(path)
        shutil.rmtree(tmp_path / ("b" if path == "a/file" else "a"))

    assert 1 == len(paths)


def test_a_file_that_vanishes_is_skipped(folder: int, tmp_path: Path) -> None:
    """A listed entry that no longer exists has no status."""
    (tmp_path / "file").write_text("")
    with os.scandir(folder) as entries:
        entry = next(entries)
    (tmp_path / "file").unlink()

    assert entry_stat(entry) is None


def test_a_tree_is_walked_to_a_maximum_depth(folder: int, tmp_path: Path) -> None:
    """Files deeper than any valid path are skipped."""
    deepest = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 5))
    deepest.mkdir(parents=True)
    (deepest / "unseen").write_text("")
    (tmp_path / "d/seen").write_text("")

    assert ["d/seen"] == [path for path, _ in walk(folder)]


class _LateFiles:
    """Creates a file whenever the tree is about to be removed, a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.left = times
        rmdir = Path.rmdir

        def planting(path: Path) -> None:
            if self.left:
                self.left -= 1
                (path / "late").write_text("")
            rmdir(path)

        monkeypatch.setattr(Path, "rmdir", planting)


def test_removal_tries_again_if_files_still_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is about to end may write a last file."""
    (tmp_path / "tree").mkdir()
    _LateFiles(monkeypatch, 3)

    remove_tree(str(tmp_path / "tree"))
    assert not (tmp_path / "tree").exists()


def test_removal_gives_up_if_files_always_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is an OSError."""
    (tmp_path / "tree").mkdir()
    late = _LateFiles(monkeypatch, 1000)

    with pytest.raises(OSError, match="not empty"):
        remove_tree(str(tmp_path / "tree"))
    assert late.left > 900


def test_removing_a_missing_tree_does_nothing(tmp_path: Path) -> None:
    """The tree may never have existed."""
    remove_tree(str(tmp_path / "tree"))
