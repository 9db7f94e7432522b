"""Files and folders up and down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buntime import FileInfo, InvalidRequestError, Session, SessionFileNotFoundError
from buntime.helpers.content import PIECE
from tests.contract.transports import OF_HELPERS, matrix, over
from tests.support.folders import content_of, fill, random_names

OVER = OF_HELPERS

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


def test_a_folder_there_and_back(session: Session, tmp_path: Path) -> None:
    """Every file, every byte, empty folders too."""
    source = fill(tmp_path / "source", TREE)
    sent = session.files.upload(source, "up")
    assert (tuple(FILES), 0, ()) == (sent.transferred, sent.unchanged, sent.removed)
    assert bytes(range(256)) == session.files.read_bytes("up/src/data/bytes.bin")
    got = session.files.download("up", tmp_path / "target")
    assert (tuple(FILES), 0, ()) == (got.transferred, got.unchanged, got.removed)
    assert content_of(source) == content_of(tmp_path / "target")
    assert sent.size == got.size == sum((source / name).stat().st_size for name in FILES)


# What differs is decided above the transport.
@over("fake", "local", "http", "recorded_local", "replayed_local")
def test_a_second_upload_sends_what_changed(session: Session, tmp_path: Path) -> None:
    """By content: same size is not the same, and what is gone here goes there."""
    source = fill(tmp_path / "source", TREE)
    session.files.upload(str(source), "up")
    assert ((), len(FILES)) == (
        (again := session.files.upload(source, "up")).transferred,
        again.unchanged,
    )
    fill(source, {"readme.md": "# READ ME\n", "new/file.txt": "new"})
    (source / "src/main.ts").unlink()
    (source / "nothing in it").rmdir()
    third = session.files.upload(source, "up")
    assert ("new/file.txt", "readme.md") == third.transferred
    assert ("nothing in it", "src/main.ts") == third.removed
    assert set(_listed(session, "up")) == set(content_of(source))
    assert "# READ ME\n" == session.files.read("up/readme.md")


@over("fake", "local", "http", "recorded_local", "replayed_local")
def test_a_second_download_fetches_what_changed(session: Session, tmp_path: Path) -> None:
    """As up, so down."""
    target = tmp_path / "target"
    session.files.upload(fill(tmp_path / "source", TREE), "up")
    session.files.download("up", target)
    session.files.write("up/readme.md", "# READ ME\n")
    session.files.delete("up/src", recursive=True)
    session.files.mkdir("up/src")
    fill(target, {"mine.txt": "mine"})
    got = session.files.download("up", str(target))
    assert ("readme.md",) == got.transferred
    assert ("mine.txt", "src/data", "src/data/bytes.bin", "src/data/large.bin", "src/main.ts") == got.removed
    assert set(_listed(session, "up")) == set(content_of(target))


@pytest.mark.parametrize("there_before", [False, True])
def test_a_folder_becomes_the_folder(session: Session, tmp_path: Path, there_before: bool) -> None:
    """The contents of one are those of the other, whether or not it was there."""
    source = fill(tmp_path / "source", {"a/b.txt": "b"})
    if there_before:
        session.files.write("up/other.txt", "")
        fill(tmp_path / "down", {"other.txt": ""})
    session.files.upload(source, "up")
    session.files.download("up", tmp_path / "down")
    assert {"a", "a/b.txt"} == set(_listed(session, "up"))
    assert {"a": None, "a/b.txt": b"b"} == content_of(tmp_path / "down")


def test_an_empty_folder(session: Session, tmp_path: Path) -> None:
    """Is one there, and here."""
    session.files.upload(fill(tmp_path / "source", {}), "up")
    assert "directory" == session.files.stat("up").type
    session.files.download("up", tmp_path / "target")
    assert {} == content_of(tmp_path / "target")


def test_the_whole_workspace(session: Session, tmp_path: Path) -> None:
    """Its name is the empty one; what the helpers keep stays out of it."""
    session.files.write("old.txt", "")
    source = fill(tmp_path / "source", {"a/b.txt": "b", "c.bin": b"\xff" * PIECE})
    session.files.upload(source, "")
    assert ["a", "a/b.txt", "c.bin"] == [info.path for info in session.files.list(recursive=True)]
    session.files.download("", tmp_path / "target")
    assert content_of(source) == content_of(tmp_path / "target")


def test_what_changes_its_type(session: Session, tmp_path: Path) -> None:
    """A file in the place of a folder, and the other way round, in both directions."""
    source = fill(tmp_path / "source", {"one": "file", "two/below": "x"})
    for path in ("one/below", "two"):
        session.files.write(f"up/{path}", "")
        fill(tmp_path / "target", {path: ""})
    session.files.upload(source, "up")
    session.files.download("up", tmp_path / "target")
    assert {"one": b"file", "two": None, "two/below": b"x"} == content_of(tmp_path / "target")


def test_what_is_ignored_is_neither_sent_nor_deleted(session: Session, tmp_path: Path) -> None:
    """Names at any depth, paths from the top, folders with all that is in them."""
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
    sent = session.files.upload(source, "up", ignore=ignore)
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
    got = session.files.download("up", tmp_path / "target", ignore=ignore)
    assert (("d/build", "keep.txt"), ("extra",)) == (got.transferred, got.removed)
    assert {"mine.log", "node_modules/mine.js"} < set(content_of(tmp_path / "target"))


def test_nothing_is_deleted_where_that_is_asked(session: Session, tmp_path: Path) -> None:
    """``delete=False`` adds and replaces only."""
    source = fill(tmp_path / "source", {"a.txt": "new"})
    session.files.write("up/a.txt", "old")
    session.files.write("up/b.txt", "b")
    assert () == session.files.upload(source, "up", delete=False).removed
    fill(tmp_path / "target", {"c.txt": "c"})
    assert () == session.files.download("up", tmp_path / "target", delete=False).removed
    assert {"a.txt": b"new", "b.txt": b"b", "c.txt": b"c"} == content_of(tmp_path / "target")
    fill(tmp_path / "other", {"a.txt/below": ""})
    with pytest.raises(FileExistsError, match=r"a\.txt"):
        session.files.upload(tmp_path / "other", "up", delete=False)
    with pytest.raises(FileExistsError, match=r"a\.txt"):
        session.files.download("up", tmp_path / "other", delete=False)


@matrix("size", [10, 0, 2 * PIECE + 1], everywhere=1)
def test_a_file_there_and_back(session: Session, tmp_path: Path, size: int) -> None:
    """Under the name it is given; the second time nothing travels."""
    source = tmp_path / "one.bin"
    source.write_bytes(b"\xfd" * size)
    sent = session.files.upload(source, "up/two.bin")
    assert (("up/two.bin",), 0, size) == (sent.transferred, sent.unchanged, sent.size)
    got = session.files.download("up/two.bin", tmp_path / "deep/three.bin")
    assert (("up/two.bin",), size) == (got.transferred, got.size)
    assert b"\xfd" * size == (tmp_path / "deep/three.bin").read_bytes()
    assert ((), 1) == ((again := session.files.upload(source, "up/two.bin")).transferred, again.unchanged)
    assert () == session.files.download("up/two.bin", tmp_path / "deep/three.bin").transferred


def test_a_file_is_no_folder(session: Session, tmp_path: Path) -> None:
    """Neither here nor there is one taken for the other, and nothing is changed."""
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


def test_what_is_not_there(session: Session, tmp_path: Path) -> None:
    """Here it is Python's error, there it is the session's; nothing appears."""
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


# It counts what is sent and received, above the transport.
@matrix("direction", ["up", "down"], everywhere=0)
def test_progress(session: Session, tmp_path: Path, direction: str) -> None:
    """It grows from file to file and piece to piece, up to all bytes that travel."""
    large = b"\xff" * (PIECE + 5)
    source = fill(tmp_path / "source", {"a.txt": b"12345", "large.bin": large, "z/b.txt": b"123"})
    seen: list[tuple[int, int, str]] = []

    def note(done: int, total: int, name: str) -> None:
        seen.append((done, total, name))

    if direction == "up":
        session.files.upload(source, "up", progress=note)
    else:
        session.files.upload(source, "up")
        session.files.download("up", tmp_path / "target", progress=note)
    assert {PIECE + 13} == {step[1] for step in seen}
    assert sorted(step[0] for step in seen) == [step[0] for step in seen]
    assert PIECE + 13 == seen[-1][0]
    assert {"a.txt", "large.bin", "z/b.txt"} == {step[2] for step in seen}
    assert 4 == len(seen)


def test_random_names_there_and_back(session: Session, tmp_path: Path) -> None:
    """Whatever a file may be called."""
    source = fill(tmp_path / "source", {name: name for name in random_names(1, 300)})
    session.files.upload(source, "up")
    session.files.download("up", tmp_path / "target")
    assert content_of(source) == content_of(tmp_path / "target")
    assert set(content_of(source)) == set(_listed(session, "up"))
