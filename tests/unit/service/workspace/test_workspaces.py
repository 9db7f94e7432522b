"""The common behaviour of the two workspaces: one suite for both."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buntime.service.workspace.base import (
    PathError,
    TooLargeError,
    Workspace,
    WorkspaceEntry,
    WorkspaceGone,
    changed,
)
from buntime.service.workspace.disk import DiskWorkspace
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support import effort
from tests.support.cases import in_one_test
from tests.support.clocks import ManualClock

Make = Callable[[], Workspace]

property_settings = settings(
    max_examples=effort.examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"),
    min_size=1,
    max_size=40,
).filter(lambda name: name not in {".", ".."} and not name.startswith(".~buntime-"))
relative_paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Return a function that creates an empty workspace."""
    created: list[Workspace] = []

    def make_one() -> Workspace:
        if request.param == "memory":
            created.append(MemoryWorkspace(ManualClock()))
        else:
            root = tmp_path / uuid.uuid4().hex
            root.mkdir()
            created.append(DiskWorkspace(root))
        return created[-1]

    yield make_one
    for workspace in created:
        workspace.remove()


@pytest.fixture
def workspace(make: Make) -> Workspace:
    """Return an empty workspace."""
    return make()


def test_a_new_workspace_is_empty(workspace: Workspace) -> None:
    """It has no files and a size of 0; the workspace itself is a directory."""
    assert [] == list(workspace.list())
    assert 0 == workspace.file_count()
    assert 0 == workspace.used()
    assert {} == workspace.snapshot()
    assert "directory" == workspace.stat("").type


def test_written_content_is_read(workspace: Workspace) -> None:
    """Bytes are returned unchanged, empty ones too."""
    workspace.write("data.bin", b"\x00\xff\n")
    workspace.write("empty", b"")

    assert b"\x00\xff\n" == workspace.read("data.bin")
    assert b"" == workspace.read("empty")


def test_writing_creates_parent_folders(workspace: Workspace) -> None:
    """A path of several names creates the missing directories."""
    workspace.write("a/b/c.txt", b"deep")

    assert "directory" == workspace.stat("a/b").type
    assert b"deep" == workspace.read("a/b/c.txt")


def test_writing_overwrites(workspace: Workspace) -> None:
    """The second content replaces all of the first."""
    workspace.write("a.txt", b"a long text")
    workspace.write("a.txt", b"short")

    assert b"short" == workspace.read("a.txt")
    assert 5 == workspace.used()
    assert ["a.txt"] == [entry.path for entry in workspace.list()]


def test_a_path_can_be_written_in_several_ways(workspace: Workspace) -> None:
    """Relative, absolute below /workspace, and with additional dots and slashes is one path."""
    workspace.write("/workspace/a/b.txt", b"1")

    assert b"1" == workspace.read("a/b.txt")
    assert b"1" == workspace.read("./a//x/../b.txt")
    assert b"1" == workspace.read("//workspace/a/b.txt")


@in_one_test(
    "path", ["../x", "a/../../x", "/etc/passwd", "/", "/workspaces/x", "/workspace/../x", "a\0b", "\udc80"]
)
def test_an_invalid_path_is_rejected(workspace: Workspace, path: str) -> None:
    """No method accepts a path outside the workspace, with a NUL, or that no file can have."""
    with pytest.raises(PathError):
        workspace.read(path)
    with pytest.raises(PathError):
        workspace.write(path, b"")
    with pytest.raises(PathError):
        workspace.stat(path)
    with pytest.raises(PathError):
        workspace.list(path)


@in_one_test("path", ["n" * 256, "é" * 128, "a/" * 101 + "b", "/".join(["n" * 200] * 21)])
def test_a_path_that_is_too_long_is_rejected(workspace: Workspace, path: str) -> None:
    """A name has at most 255 bytes, a path 4000, in at most 100 names."""
    with pytest.raises(PathError):
        workspace.write(path, b"")


@in_one_test("path", ["", ".", "/workspace", "a/.."])
def test_the_workspace_itself_is_not_a_file(workspace: Workspace, path: str) -> None:
    """A path that names the workspace can neither be written nor read."""
    with pytest.raises(PathError):
        workspace.write(path, b"")
    with pytest.raises(IsADirectoryError):
        workspace.read(path)


def test_a_directory_is_not_a_file(workspace: Workspace) -> None:
    """A directory cannot be read, or overwritten by a file."""
    workspace.write("a/b.txt", b"")

    with pytest.raises(IsADirectoryError):
        workspace.read("a")
    with pytest.raises(IsADirectoryError):
        workspace.write("a", b"")


def test_a_file_is_not_a_directory(workspace: Workspace) -> None:
    """A file cannot be listed or written below; reading below it is a missing file."""
    workspace.write("a", b"")

    with pytest.raises(NotADirectoryError):
        workspace.list("a")
    with pytest.raises(NotADirectoryError):
        workspace.write("a/b", b"")
    with pytest.raises(FileNotFoundError):
        workspace.read("a/b")
    with pytest.raises(FileNotFoundError):
        workspace.stat("a/b")


def test_a_missing_path_is_not_found(workspace: Workspace) -> None:
    """Reading, describing and listing raise an error that names the path."""
    for method in (workspace.read, workspace.stat, workspace.list):
        with pytest.raises(FileNotFoundError) as caught:
            method("no/such")
        assert "no/such" == caught.value.filename


def test_reading_can_be_bounded(workspace: Workspace) -> None:
    """A file above the limit is rejected with its size, one at the limit is not."""
    workspace.write("a", b"12345")

    assert b"12345" == workspace.read("a", max_size=5)
    with pytest.raises(TooLargeError) as caught:
        workspace.read("a", max_size=4)
    assert 5 == caught.value.size


def test_a_list_has_the_direct_children_sorted(workspace: Workspace) -> None:
    """Paths are relative to the workspace, a directory's size is 0, deeper files are left out."""
    workspace.write_all([("sub/b.txt", b"22"), ("sub/a/deep.txt", b"1"), ("sub/Z", b""), ("other", b"")])

    match = workspace.list("sub")

    assert [
        ("sub/Z", 0, "file"),
        ("sub/a", 0, "directory"),
        ("sub/b.txt", 2, "file"),
    ] == [(entry.path, entry.size, entry.type) for entry in match]
    assert ["other", "sub"] == [entry.path for entry in workspace.list("/workspace")]


@pytest.mark.parametrize("folder", ["", "sub/"])
def test_a_list_can_be_read_in_parts(workspace: Workspace, folder: str) -> None:
    """Offsets count visible entries; a part after the last one is empty."""
    workspace.write_all([(f"{folder}{name}", b"") for name in "dbca"])
    workspace.write(".buntime/x", b"")

    def part(offset: int, limit: int | None) -> str:
        match = workspace.list(folder, offset=offset, limit=limit)
        return "".join(entry.path[len(folder) :] for entry in match)

    futures = [(0, 2), (2, 2), (1, None), (3, 9), (4, 1), (99, 1), (0, 0)]
    assert ["ab", "cd", "bcd", "d", "", "", ""] == [part(*each) for each in futures]


def test_the_services_own_folder_is_hidden(workspace: Workspace) -> None:
    """Files in .buntime can be read, but are neither listed nor counted nor reported as written."""
    workspace.write(".buntime/arguments.json", b"{}")
    workspace.write("sub/.buntime/x", b"")

    assert b"{}" == workspace.read(".buntime/arguments.json")
    assert ["sub"] == [entry.path for entry in workspace.list()]
    assert ["sub/.buntime"] == [entry.path for entry in workspace.list("sub")]
    assert 1 == workspace.file_count()
    assert ["sub/.buntime/x"] == list(workspace.snapshot())
    assert 2 == workspace.used()


def test_all_files_are_written_or_none(workspace: Workspace) -> None:
    """One file that cannot be written, at any position, leaves everything unchanged."""
    workspace.write("kept", b"old")
    workspace.write("folder/x", b"")
    for bad in ["../x", "", "folder", "kept/x", "new/x/y"]:
        with pytest.raises((PathError, OSError)):
            workspace.write_all([("kept", b"new"), ("new/x", b"1"), (bad, b"2"), ("last", b"3")])

    assert b"old" == workspace.read("kept")
    assert ["folder", "kept"] == [entry.path for entry in workspace.list()]


def test_the_last_of_two_files_with_one_path_wins(workspace: Workspace) -> None:
    """Files are written in order."""
    workspace.write_all([("a", b"first"), ("./a", b"second")])

    assert b"second" == workspace.read("a")


def test_two_snapshots_show_the_changes(workspace: Workspace) -> None:
    """New and overwritten files are reported, sorted; unchanged and deleted ones are not."""
    workspace.write_all([("same", b"1"), ("longer", b"1")])
    before = workspace.snapshot()
    workspace.write_all([("longer", b"12"), ("a/new", b"")])

    assert ["a/new", "longer"] == list(changed(before, workspace.snapshot()))
    assert [] == list(changed(before, {}))


def test_an_overwrite_with_as_many_bytes_is_a_change(workspace: Workspace) -> None:
    """A replaced file is detected, whatever its size."""
    workspace.write("a", b"1")
    before = workspace.snapshot()
    workspace.write("a", b"2")

    assert ["a"] == list(changed(before, workspace.snapshot()))


def test_installed_packages_are_not_reported(workspace: Workspace) -> None:
    """node_modules and .git are ignored at any depth, but their files count."""
    workspace.write_all([("node_modules/x/i.js", b""), ("a/node_modules/i.js", b""), (".git/HEAD", b"")])
    workspace.write("node_modules.txt", b"")

    assert ["node_modules.txt"] == list(workspace.snapshot())
    assert 4 == workspace.file_count()


def test_nothing_is_left_after_removal(workspace: Workspace) -> None:
    """A removed workspace raises WorkspaceGone; removing it again does nothing."""
    workspace.write("a/b", b"")

    workspace.remove()
    workspace.remove()

    assert {} == workspace.snapshot()
    for method in (workspace.read, workspace.stat, workspace.list):
        with pytest.raises(WorkspaceGone):
            method("a")
    with pytest.raises(WorkspaceGone):
        workspace.write("a", b"")
    with pytest.raises(WorkspaceGone):
        workspace.file_count()
    with pytest.raises(WorkspaceGone):
        workspace.used()


@property_settings
@given(path=relative_paths, content=st.binary(max_size=100))
def test_any_name_is_supported(make: Make, path: str, content: bytes) -> None:
    """A file of any name can be read, described, listed and counted under that path."""
    workspace = make()
    workspace.write(path, content)
    folder = path.rpartition("/")[0]

    assert content == workspace.read(path)
    assert content == workspace.read(f"/workspace/{path}")
    assert ("file", len(content)) == (workspace.stat(path).type, workspace.stat(path).size)
    listed = [entry.path for entry in workspace.list(folder)]
    assert ([] if path == ".buntime" else [path]) == listed
    workspace.remove()


@property_settings
@given(data=st.data())
def test_no_path_leaves_the_workspace(make: Make, data: st.DataObject) -> None:
    """A path is rejected exactly if one of its prefixes is above the workspace."""
    parts = data.draw(st.lists(st.sampled_from(["..", ".", "", "a", "b"]), max_size=8))
    depths = [0]
    for part in parts:
        depths.append(depths[-1] + {"..": -1, ".": 0, "": 0}.get(part, 1))
    workspace = make()
    path = "/".join(["/workspace", *parts])

    if min(depths) < 0:
        with pytest.raises(PathError):
            workspace.stat(path)
    elif depths[-1] == 0:
        assert WorkspaceEntry("", 0, workspace.stat("").modified, "directory") == workspace.stat(path)
    else:
        with pytest.raises(FileNotFoundError):
            workspace.stat(path)
    workspace.remove()
