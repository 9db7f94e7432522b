"""Copying, appending, matching, walking, permissions and links."""

from __future__ import annotations

from typing import Callable

import pytest

from buntime import ConflictError, InvalidRequestError, Session, SessionFileNotFoundError
from tests.contract.transports import FOR_HELPERS, PIECE, runs_on

RUNS_ON = FOR_HELPERS


def test_copy(session: Session) -> None:
    """A file or folder is copied; the source stays."""
    session.files.write("a/one.txt", "1")
    session.files.write("a/sub/two.bin", b"\xff")
    session.files.copy("a", "new/b")
    session.files.copy("a/one.txt", "/workspace/c.txt")
    assert ["new/b", "new/b/one.txt", "new/b/sub", "new/b/sub/two.bin"] == [
        file.path for file in session.files.list("new", recursive=True)
    ]
    session.files.write("c.txt", "changed")
    assert ["1", "1"] == [session.files.read("a/one.txt"), session.files.read("new/b/one.txt")]


def test_copy_with_a_target_that_exists(session: Session) -> None:
    """It is an error; with `overwrite`, a file replaces a file."""
    session.files.write("a.txt", "1")
    session.files.write("b.txt", "2")
    session.files.mkdir("folder")
    for source, target, overwrite in [
        ("a.txt", "b.txt", False),
        ("a.txt", "folder", True),
        ("folder", "a.txt", True),
        ("folder", "folder/below", False),
        ("a.txt", "a.txt", True),
        ("a.txt", "a.txt/below", False),
        ("a.txt", "../outside", False),
    ]:
        with pytest.raises(InvalidRequestError):
            session.files.copy(source, target, overwrite=overwrite)
    with pytest.raises(SessionFileNotFoundError):
        session.files.copy("missing", "c")
    assert "2" == session.files.read("b.txt")
    session.files.copy("a.txt", "b.txt", overwrite=True)
    assert "1" == session.files.read("b.txt")


def test_append(session: Session) -> None:
    """Text or bytes are written to the end; the file is created if needed."""
    assert 2 == session.files.append("logs/a.txt", "é").size
    assert 4 == session.files.append("logs/a.txt", b"\xff\n").size
    assert 4 == session.files.append("logs/a.txt", b"").size
    assert "é".encode() + b"\xff\n" == session.files.read_bytes("logs/a.txt")
    with pytest.raises(InvalidRequestError):
        session.files.append("logs", "x")


@runs_on("fake", "local")
def test_append_in_pieces(session: Session) -> None:
    """Content that is larger than a request is sent in pieces."""
    session.files.write("a.bin", b"\xff")
    assert 2 * PIECE + 2 == session.files.append("a.bin", [b"ab" * PIECE, b"c"]).size
    assert b"\xff" + b"ab" * PIECE + b"c" == session.files.read_bytes("a.bin")


@runs_on("fake", "local")
def test_append_at_an_offset(session: Session) -> None:
    """The helper accepts the bytes of an earlier attempt only to resume it, and no others."""
    helpers, path = session._context.helpers, "a.txt"
    session.files.write(path, "abc")

    def run(text: str, offset: int, resume: bool) -> object:
        reply = helpers.run_staged(session.id, "file_append", text, path=path, offset=offset, resume=resume)
        return reply["size"]

    assert 5 == run("YmNkZQ==", 1, resume=True)  # bcde
    assert 5 == run("YmNkZQ==", 1, resume=True)
    for text, offset, resume in [("YmNkZQ==", 1, False), ("eHl6", 3, True), ("eHl6", 9, False)]:
        with pytest.raises(ConflictError):
            run(text, offset, resume)
    assert "abcde" == session.files.read(path)


def test_glob_and_walk(session: Session) -> None:
    """Paths match by name, at any depth, or as folders; walking yields each folder with its children."""
    for path in ("a/one.py", "a/b/two.py", "a/b/c.txt", "top.py"):
        session.files.write(path, "")
    for pattern, expected in {
        "*.py": ["top.py"],
        "**/*.py": ["a/b/two.py", "a/one.py", "top.py"],
        "a/*": ["a/b", "a/one.py"],
        "/workspace/a/[!b]*": ["a/one.py"],
        "a/*/": ["a/b"],
        "a/**/c.???": ["a/b/c.txt"],
        "missing/*": [],
        "top.py/*": [],
    }.items():
        assert expected == [file.path for file in session.files.glob(pattern)], pattern
    walk = [("", ["a"], ["top.py"]), ("a", ["b"], ["one.py"]), ("a/b", [], ["c.txt", "two.py"])]
    assert walk == list(session.files.walk())
    assert walk[1:] == list(session.files.walk("/workspace/a/"))
    pruned = []
    for folder, folders, _ in session.files.walk():
        pruned.append(folder)
        folders[:] = [name for name in folders if name != "a"]
    assert [""] == pruned


@runs_on("local")
def test_permissions_and_links(session: Session) -> None:
    """Permissions are set and reported; a link is reported with its target, and copied as a link."""
    session.files.write("bin/tool", "#!/bin/sh\n")
    session.files.chmod("bin/tool", 0o750)
    session.execute("require('fs').symlinkSync('tool', 'bin/link'); require('fs').symlinkSync('bin', 'dir')")
    assert (0o750, None) == ((info := session.files.stat("bin/tool")).mode, info.target)
    assert ("file", "tool") == ((info := session.files.stat("bin/link")).type, info.target)
    session.files.copy("bin", "copy")
    targets = {file.path: file.target for file in session.files.list(recursive=True) if file.target}
    assert {"bin/link": "tool", "copy/link": "tool", "dir": "bin"} == targets
    assert 0o750 == session.files.stat("copy/tool").mode
    assert ["", "bin", "copy"] == [folder for folder, _, _ in session.files.walk()]


def test_chmod_of_a_missing_file(session: Session) -> None:
    """It is not found."""
    with pytest.raises(SessionFileNotFoundError):
        session.files.chmod("missing", 0o644)


@runs_on("fake", "local")
def test_errors_name_the_path_and_its_kind(session: Session) -> None:
    """The fake has the messages of a real session."""
    session.files.write("folder/file", "")
    session.files.write("other", "")
    ways: list[tuple[Callable[[], object], str]] = [
        (lambda: session.files.delete("folder"), "folder is a folder that is not empty"),
        (lambda: session.files.delete("."), "the workspace itself cannot be deleted"),
        (lambda: session.files.move("other", "folder/file"), "folder/file exists already"),
        (lambda: session.files.mkdir("other"), "other is a file, or below one"),
        (lambda: session.files.append("folder", "x"), "folder is a folder"),
    ]
    for call, message in ways:
        with pytest.raises(InvalidRequestError, match=f"^POST /execute: {message}"):
            call()
