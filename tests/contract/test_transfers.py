"""Uploads and downloads of files and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buntime import FileInfo, InvalidRequestError, Session, SessionFileNotFoundError
from tests.contract.transports import FOR_HELPERS, PIECE, matrix, runs_on
from tests.support.folders import content_of, fill, random_names

RUNS_ON = FOR_HELPERS

TREE: dict[str, Any] = {
    "readme.md": "# read me\n",
    "src/main.ts": "console.log(1)\n",
    "src/data/bytes.bin": bytes(range(256)),
    "src/data/large.bin": b"\xfe" * (PIECE + 10),
    "with space & 'quotes'/-dash ünï.txt": "é",
    "empty.txt": "",
    "nothing in it": None,
}
FILES = sorted(name for name, content in TREE.items() if content is not None)


def _listed(session: Session, path: str) -> dict[str, FileInfo]:
    return {info.path[len(path) + 1 :]: info for info in session.files.list(path, recursive=True)}


def test_a_folder_round_trips(session: Session, tmp_path: Path) -> None:
    """All files, all bytes, and empty folders."""
    source = fill(tmp_path / "source", TREE)
    sent = session.files.upload(source, "up")
    assert (tuple(FILES), 0, ()) == (sent.transferred, sent.unchanged, sent.removed)
    assert bytes(range(256)) == session.files.read_bytes("up/src/data/bytes.bin")
    got = session.files.download("up", tmp_path / "target")
    assert (tuple(FILES), 0, ()) == (got.transferred, got.unchanged, got.removed)
    assert content_of(source) == content_of(tmp_path / "target")
    assert sent.size == got.size == sum((source / name).stat().st_size for name in FILES)


# Differences are detected above the transport.
@runs_on("fake", "local", "local_without_isolation", "http", "recorded_local", "replayed_local")
def test_a_second_upload_sends_the_changes(session: Session, tmp_path: Path) -> None:
    """Files of the same size are compared by content, and files deleted here are deleted there."""
    source = fill(tmp_path / "source", TREE)
    session.files.upload(str(source), "up")
    assert ((), len(FILES)) == (
        (second := session.files.upload(source, "up")).transferred,
        second.unchanged,
    )
    fill(source, {"readme.md": "# READ ME\n", "new/file.txt": "new"})
    (source / "src/main.ts").unlink()
    (source / "nothing in it").rmdir()
    third = session.files.upload(source, "up", delete=True)
    assert ("new/file.txt", "readme.md") == third.transferred
    assert ("nothing in it", "src/main.ts") == third.removed
    assert set(_listed(session, "up")) == set(content_of(source))
    assert "# READ ME\n" == session.files.read("up/readme.md")


@runs_on("fake", "local", "local_without_isolation", "http", "recorded_local", "replayed_local")
def test_a_second_download_fetches_the_changes(session: Session, tmp_path: Path) -> None:
    """Downloads work like uploads."""
    target = tmp_path / "target"
    session.files.upload(fill(tmp_path / "source", TREE), "up")
    session.files.download("up", target)
    session.files.write("up/readme.md", "# READ ME\n")
    session.files.delete("up/src", recursive=True)
    session.files.mkdir("up/src")
    fill(target, {"mine.txt": "mine"})
    got = session.files.download("up", str(target), delete=True)
    assert ("readme.md",) == got.transferred
    assert ("mine.txt", "src/data", "src/data/bytes.bin", "src/data/large.bin", "src/main.ts") == got.removed
    assert set(_listed(session, "up")) == set(content_of(target))


@pytest.mark.parametrize("there_before", [False, True])
def test_the_target_becomes_a_copy(session: Session, tmp_path: Path, there_before: bool) -> None:
    """With ``delete``, the target has the same content as the source, whether or not it existed."""
    source = fill(tmp_path / "source", {"a/b.txt": "b"})
    if there_before:
        session.files.write("up/other.txt", "")
        fill(tmp_path / "down", {"other.txt": ""})
    session.files.upload(source, "up", delete=True)
    session.files.download("up", tmp_path / "down", delete=True)
    assert {"a", "a/b.txt"} == set(_listed(session, "up"))
    assert {"a": None, "a/b.txt": b"b"} == content_of(tmp_path / "down")


def test_an_empty_folder(session: Session, tmp_path: Path) -> None:
    """It exists on both sides."""
    session.files.upload(fill(tmp_path / "source", {}), "up")
    assert "directory" == session.files.stat("up").type
    session.files.download("up", tmp_path / "target")
    assert {} == content_of(tmp_path / "target")


def test_the_whole_workspace(session: Session, tmp_path: Path) -> None:
    """Its path is empty; the internal files of helpers are excluded."""
    session.files.write("old.txt", "")
    source = fill(tmp_path / "source", {"a/b.txt": "b", "c.bin": b"\xff" * PIECE})
    session.files.upload(source, "", delete=True)
    assert ["a", "a/b.txt", "c.bin"] == [info.path for info in session.files.list(recursive=True)]
    session.files.download("", tmp_path / "target")
    assert content_of(source) == content_of(tmp_path / "target")


def test_changes_between_file_and_folder(session: Session, tmp_path: Path) -> None:
    """A file replaces a folder and a folder a file, in both directions."""
    source = fill(tmp_path / "source", {"one": "file", "two/below": "x"})
    for path in ("one/below", "two"):
        session.files.write(f"up/{path}", "")
        fill(tmp_path / "target", {path: ""})
    session.files.upload(source, "up", delete=True)
    session.files.download("up", tmp_path / "target", delete=True)
    assert {"one": b"file", "two": None, "two/below": b"x"} == content_of(tmp_path / "target")


def test_ignored_files_are_neither_sent_nor_deleted(session: Session, tmp_path: Path) -> None:
    """Names at any depth, paths from the root, and folders with their content."""
    source = fill(
        tmp_path / "source",
        {
            "a.log": "",
            "keep.txt": "",
            "node_modules/x/y.js": "",
            "src/b.log": "",
            "build/c.js": "",
            "d/build": "",
        },
    )
    session.files.write("up/node_modules/there.js", "")
    session.files.write("up/z.log", "")
    ignore = ["*.log", "node_modules", "/build/*.js"]
    sent = session.files.upload(source, "up", ignore=ignore, delete=True)
    assert (("d/build", "keep.txt"), ()) == (sent.transferred, sent.removed)
    assert {
        "build",
        "d",
        "d/build",
        "keep.txt",
        "node_modules",
        "node_modules/there.js",
        "src",
        "z.log",
    } == set(_listed(session, "up"))
    fill(tmp_path / "target", {"mine.log": "", "node_modules/mine.js": "", "extra": ""})
    got = session.files.download("up", tmp_path / "target", ignore=ignore, delete=True)
    assert (("d/build", "keep.txt"), ("extra",)) == (got.transferred, got.removed)
    assert {"mine.log", "node_modules/mine.js"} < set(content_of(tmp_path / "target"))


def test_nothing_is_deleted_by_default(session: Session, tmp_path: Path) -> None:
    """Without ``delete``, a transfer only adds and replaces."""
    source = fill(tmp_path / "source", {"a.txt": "new"})
    session.files.write("up/a.txt", "old")
    session.files.write("up/b.txt", "b")
    assert () == session.files.upload(source, "up").removed
    fill(tmp_path / "target", {"c.txt": "c"})
    assert () == session.files.download("up", tmp_path / "target").removed
    assert {"a.txt": b"new", "b.txt": b"b", "c.txt": b"c"} == content_of(tmp_path / "target")
    fill(tmp_path / "other", {"a.txt/below": ""})
    with pytest.raises(FileExistsError, match=r"a\.txt"):
        session.files.upload(tmp_path / "other", "up")
    with pytest.raises(FileExistsError, match=r"a\.txt"):
        session.files.download("up", tmp_path / "other")


@matrix("size", [10, 0, 2 * PIECE + 1], common=1)
def test_a_file_round_trips(session: Session, tmp_path: Path, size: int) -> None:
    """The target has the given name; the second time nothing is transferred."""
    source = tmp_path / "one.bin"
    source.write_bytes(b"\xfd" * size)
    sent = session.files.upload(source, "up/two.bin")
    assert (("up/two.bin",), 0, size) == (sent.transferred, sent.unchanged, sent.size)
    got = session.files.download("up/two.bin", tmp_path / "deep/three.bin")
    assert (("up/two.bin",), size) == (got.transferred, got.size)
    assert b"\xfd" * size == (tmp_path / "deep/three.bin").read_bytes()
    assert ((), 1) == ((second := session.files.upload(source, "up/two.bin")).transferred, second.unchanged)
    assert () == session.files.download("up/two.bin", tmp_path / "deep/three.bin").transferred


def test_a_file_is_not_a_folder(session: Session, tmp_path: Path) -> None:
    """A file is not accepted as a folder or the reverse on either side, and nothing changes."""
    source = fill(tmp_path / "source", {"file": "f"})
    session.files.write("folder/x", "x")
    session.files.write("file", "y")
    with pytest.raises(InvalidRequestError):
        session.files.upload(source / "file", "folder")
    with pytest.raises(InvalidRequestError):
        session.files.upload(source, "file")
    with pytest.raises(IsADirectoryError):
        session.files.download("file", source)
    with pytest.raises((NotADirectoryError, FileExistsError)):
        session.files.download("folder", source / "file")
    assert "y" == session.files.read("file")
    assert {"file": b"f"} == content_of(source)


def test_missing_sources(session: Session, tmp_path: Path) -> None:
    """A local source raises Python's error, a remote one the session's; nothing is created."""
    with pytest.raises(FileNotFoundError, match="missing"):
        session.files.upload(tmp_path / "missing", "up")
    with pytest.raises(SessionFileNotFoundError, match="missing"):
        session.files.download("missing", tmp_path / "target")
    for path in ("../x", "/etc"):
        with pytest.raises(InvalidRequestError):
            session.files.upload(fill(tmp_path / "source", {"a": ""}), path)
        with pytest.raises(InvalidRequestError):
            session.files.download(path, tmp_path / "target")
    assert [] == session.files.list()
    assert not (tmp_path / "target").exists()


# Progress counts bytes above the transport.
@matrix("direction", ["up", "down"], common=1)
def test_progress(session: Session, tmp_path: Path, direction: str) -> None:
    """It grows from file to file and chunk to chunk, up to the total."""
    large = b"\xff" * (PIECE + 5)
    source = fill(tmp_path / "source", {"a.txt": b"12345", "large.bin": large, "z/b.txt": b"123"})
    calls: list[tuple[int, int, str]] = []

    def note(done: int, total: int, name: str) -> None:
        calls.append((done, total, name))

    if direction == "up":
        session.files.upload(source, "up", progress=note)
    else:
        session.files.upload(source, "up")
        session.files.download("up", tmp_path / "target", progress=note)
    assert {PIECE + 13} == {step[1] for step in calls}
    assert sorted(step[0] for step in calls) == [step[0] for step in calls]
    assert PIECE + 13 == calls[-1][0]
    assert {"a.txt", "large.bin", "z/b.txt"} == {step[2] for step in calls}
    assert 4 == len(calls)


def test_random_names_round_trip(session: Session, tmp_path: Path) -> None:
    """Every valid file name is transferred."""
    source = fill(tmp_path / "source", {name: name for name in random_names(1, 100)})
    session.files.upload(source, "up")
    session.files.download("up", tmp_path / "target")
    assert content_of(source) == content_of(tmp_path / "target")
    assert set(content_of(source)) == set(_listed(session, "up"))
