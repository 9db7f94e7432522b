"""Looking through and removing directory trees that change meanwhile."""

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


def test_a_folder_that_vanishes_is_passed_over(folder: int, tmp_path: Path) -> None:
    """Its files are missing from the walk, which goes on."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("")
    match = []
    for path, _ in walk(folder):
        match.append(path)
        shutil.rmtree(tmp_path / ("b" if path == "a/file" else "a"))

    assert 1 == len(match)


def test_a_file_that_vanishes_is_nothing(folder: int, tmp_path: Path) -> None:
    """An entry that was seen and is gone has no status."""
    (tmp_path / "file").write_text("")
    with os.scandir(folder) as entries:
        entry = next(entries)
    (tmp_path / "file").unlink()

    assert entry_stat(entry) is None


def test_a_tree_is_looked_through_to_a_depth(folder: int, tmp_path: Path) -> None:
    """Files deeper than any path may be are not seen, and do not disturb."""
    deepest = tmp_path.joinpath(*["d"] * (MAX_DEPTH + 5))
    deepest.mkdir(parents=True)
    (deepest / "unseen").write_text("")
    (tmp_path / "d/seen").write_text("")

    assert ["d/seen"] == [path for path, _ in walk(folder)]


class _LateFiles:
    """Plants a file whenever the tree is about to be removed, a number of times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.left = times
        rmdir = Path.rmdir

        def planting(path: Path) -> None:
            if self.left:
                self.left -= 1
                (path / "late").write_text("")
            rmdir(path)

        monkeypatch.setattr(Path, "rmdir", planting)


def test_removal_tries_again_where_files_still_appear(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is just ending may write a last file."""
    (tmp_path / "tree").mkdir()
    _LateFiles(monkeypatch, 3)

    remove_tree(str(tmp_path / "tree"))
    assert not (tmp_path / "tree").exists()


def test_removal_gives_up_where_files_never_cease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OSError, instead of trying for ever."""
    (tmp_path / "tree").mkdir()
    late = _LateFiles(monkeypatch, 1000)

    with pytest.raises(OSError, match="not empty"):
        remove_tree(str(tmp_path / "tree"))
    assert late.left > 900


def test_removing_what_is_missing_does_nothing(tmp_path: Path) -> None:
    """There may never have been a tree."""
    remove_tree(str(tmp_path / "tree"))
