"""A workspace on disk, with code that creates malicious links and pipes in it."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from buntime.service.workspace import disk
from buntime.service.workspace.base import DiskFullError, PathError, TooLargeError
from buntime.service.workspace.disk import DiskWorkspace


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder beside the workspace, with a secret in it."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return an empty folder for a workspace."""
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def workspace(root: Path) -> DiskWorkspace:
    """Return the workspace in it."""
    return DiskWorkspace(root)


def test_files_are_at_their_path_on_disk(workspace: DiskWorkspace, root: Path) -> None:
    """Written files appear below the root, and nothing else remains there."""
    workspace.write("a/b.txt", b"text")

    assert root == workspace.root
    assert b"text" == (root / "a/b.txt").read_bytes()
    assert ["a"] == os.listdir(root)


@pytest.mark.parametrize("target", ["../outside", "/etc", "/", "..", "sub/../../outside", "/workspacex"])
def test_a_link_that_leaves_is_rejected(
    workspace: DiskWorkspace, root: Path, outside: Path, target: str
) -> None:
    """Neither reading, writing, describing nor listing follows it, as the end or the middle of a path."""
    (root / "sub").mkdir()
    (root / "link").symlink_to(target)
    for path in ("link", "link/secret", "link/../link/x"):
        with pytest.raises(PathError):
            workspace.write("link/secret", b"")
        for method in (workspace.read, workspace.stat, workspace.list):
            with pytest.raises(PathError):
                method(path)

    assert ["secret"] == os.listdir(outside)
    assert "secret" == (outside / "secret").read_text()


def test_a_chain_of_links_is_followed_until_it_leaves(
    workspace: DiskWorkspace, root: Path, outside: Path
) -> None:
    """A link to a link that leaves is rejected as that one is."""
    (root / "second").symlink_to("../outside/secret")
    (root / "first").symlink_to("second")

    with pytest.raises(PathError):
        workspace.read("first")
    with pytest.raises(PathError):
        workspace.write("first", b"")
    assert "secret" == (outside / "secret").read_text()


def test_a_link_that_stays_inside_is_followed(workspace: DiskWorkspace, root: Path) -> None:
    """Relative, absolute as in the sandbox, or absolute as on the host."""
    workspace.write("real/data", b"1")
    (root / "relative").symlink_to("real/../real/data")
    (root / "real/up").symlink_to("../real")
    (root / "absolute").symlink_to("/workspace/real")
    (root / "host").symlink_to(root / "real" / "data")
    (root / "self").symlink_to(".")

    assert b"1" == workspace.read("relative")
    assert b"1" == workspace.read("real/up/up/data")
    assert b"1" == workspace.read("absolute/data")
    assert b"1" == workspace.read("host")
    assert b"1" == workspace.read("self/self/real/data")
    assert "directory" == workspace.stat("self").type
    assert ["absolute/data", "absolute/up"] == [entry.path for entry in workspace.list("absolute")]


def test_writing_through_a_link_changes_its_target(workspace: DiskWorkspace, root: Path) -> None:
    """The link stays a link; a target that is missing is created."""
    workspace.write("real", b"old")
    (root / "link").symlink_to("real")
    (root / "dangling").symlink_to("folder/new")

    workspace.write("link", b"new")
    workspace.write("dangling", b"made")

    assert (root / "link").is_symlink()
    assert b"new" == workspace.read("real")
    assert b"made" == (root / "folder/new").read_bytes()


def test_links_cannot_exceed_the_length_of_a_path(workspace: DiskWorkspace, root: Path) -> None:
    """A short path that links extend beyond 100 folders is rejected."""
    deep = "/".join(["d"] * 90)
    workspace.write(f"{deep}/x", b"")
    (root / "d" / "link").symlink_to(f"/workspace/{deep}")
    (root.joinpath(deep) / "further").symlink_to("/".join(["e"] * 20))

    with pytest.raises(PathError):
        workspace.write("d/link/further/x", b"")


def test_a_cycle_of_links_ends(workspace: DiskWorkspace, root: Path) -> None:
    """Links in a cycle are rejected, not followed without end."""
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")

    with pytest.raises(PathError):
        workspace.read("a")
    with pytest.raises(PathError):
        workspace.write("a/x", b"")


def test_links_are_listed_as_their_target(workspace: DiskWorkspace, root: Path) -> None:
    """One with a missing target, or one outside, appears as a file."""
    workspace.write("folder/x", b"12345")
    (root / "to-file").symlink_to("folder/x")
    (root / "to-folder").symlink_to("folder")
    (root / "out").symlink_to("/etc/passwd")
    (root / "nowhere").symlink_to("nothing")

    visible = {entry.path: (entry.type, entry.size) for entry in workspace.list()}

    assert ("file", 5) == visible["to-file"]
    assert ("directory", 0) == visible["to-folder"]
    assert ("file", len("/etc/passwd")) == visible["out"]
    assert ("file", len("nothing")) == visible["nowhere"]


def test_links_are_not_followed_by_walks(workspace: DiskWorkspace, root: Path, outside: Path) -> None:
    """Counting and comparing never leave the workspace: a link is one file."""
    (root / "out").symlink_to(outside)

    assert 1 == workspace.file_count()
    assert ["out"] == list(workspace.snapshot())
    assert len(str(outside)) == workspace.used()


def test_a_pipe_or_socket_does_not_hang(workspace: DiskWorkspace, root: Path) -> None:
    """Only regular files are read or overwritten, and a read never waits for a writer."""
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(root)
        try:
            listener.bind("socket")
        finally:
            os.chdir(here)
        for name in ("pipe", "socket"):
            with pytest.raises(PathError):
                workspace.read(name)
            with pytest.raises(PathError):
                workspace.write(name, b"")

    assert ["pipe", "socket"] == [entry.path for entry in workspace.list()]
    assert {} == workspace.snapshot()


def test_a_link_created_at_any_moment_cannot_escape(
    workspace: DiskWorkspace, root: Path, outside: Path
) -> None:
    """While a folder is repeatedly replaced with a link that leaves, no write and no read escapes."""
    stop = threading.Event()

    def swap() -> None:
        for turn in itertools.count():
            if stop.is_set():
                return
            with suppress(OSError):
                os.rename(root / "folder", root / f"aside-{turn}")
            with suppress(OSError):
                os.symlink(outside, root / "folder")
            with suppress(OSError):
                os.unlink(root / "folder")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for _ in range(300):
            with suppress(PathError, FileNotFoundError, NotADirectoryError):
                workspace.write("folder/secret", b"written")
            with suppress(PathError, FileNotFoundError):
                assert b"written" == workspace.read("folder/secret")
    finally:
        stop.set()
        swapper.join()

    assert ["secret"] == os.listdir(outside)
    assert "secret" == (outside / "secret").read_text()


def test_an_overwritten_file_keeps_its_mode(workspace: DiskWorkspace, root: Path) -> None:
    """A script stays executable."""
    workspace.write("run.sh", b"1")
    (root / "run.sh").chmod(0o755)

    workspace.write("run.sh", b"2")

    assert (root / "run.sh").stat().st_mode & 0o777 == 0o755


def test_a_sparse_file_is_not_read_completely(workspace: DiskWorkspace, root: Path) -> None:
    """A file with a size of a terabyte is rejected by its size."""
    with open(root / "huge", "wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(TooLargeError) as caught:
        workspace.read("huge", max_size=1000)
    assert 1 << 40 == caught.value.size


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname == "Darwin", reason="macOS has no such names")
def test_a_name_that_is_not_utf8_is_shown(workspace: DiskWorkspace, root: Path) -> None:
    """It appears with a replacement character instead of failing the list."""
    with open(os.fsencode(root) + b"/bad\xff", "wb"):
        pass

    assert ["bad\ufffd"] == [entry.path for entry in workspace.list()]
    assert ["bad\ufffd"] == list(workspace.snapshot())


def test_removal_handles_any_files(root: Path, outside: Path) -> None:
    """Folders without permissions, links out, pipes, and a tree 2000 folders deep are all removed."""
    descriptor = os.open(root, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("deep", dir_fd=descriptor)
        deeper = os.open("deep", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = deeper
    os.close(descriptor)
    (root / "closed").mkdir()
    (root / "closed/file").write_text("")
    (root / "closed").chmod(0o000)
    (root / "out").symlink_to(outside)
    os.mkfifo(root / "pipe")
    root.chmod(0o500)
    workspace = DiskWorkspace(root)

    assert 2 == workspace.file_count() - (1 if os.geteuid() == 0 else 0)
    workspace.remove()

    assert not root.exists()
    assert ["secret"] == os.listdir(outside)


def test_a_full_disk_has_its_own_error(
    workspace: DiskWorkspace, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk and a path that cannot be written are different errors, and no file remains."""

    def no_room(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk, "_stage", no_room)
    with pytest.raises(DiskFullError):
        workspace.write("a", b"1")

    assert [] == os.listdir(root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_rejected_in_advance(
    workspace: DiskWorkspace, root: Path
) -> None:
    """Files before the one that cannot be written are not written either."""
    (root / "fixed").mkdir(mode=0o555)

    with pytest.raises(PathError):
        workspace.write_all([("first", b""), ("fixed/x", b"")])

    assert ["fixed"] == [entry.path for entry in workspace.list()]


def test_no_descriptor_stays_open(workspace: DiskWorkspace, root: Path) -> None:
    """After every kind of request, failed ones too, as many files are open as before."""
    folder = "/dev/fd" if os.path.isdir("/dev/fd") else "/proc/self/fd"
    before = len(os.listdir(folder))
    (root / "out").symlink_to("/etc")
    for path in ("a/b/c", "out/x", "../x", "a/b/c/d", "a/b"):
        for attempt in (lambda p: workspace.write(p, b"1"), workspace.read, workspace.stat, workspace.list):
            try:
                attempt(path)
            except (PathError, OSError):
                continue
    workspace.snapshot()
    workspace.used()
    workspace.remove()

    assert before == len(os.listdir(folder))
