"""File objects and paths of a session, on the fake."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from buntime import Buntime, ConflictError, InvalidRequestError, Session, SessionFileNotFoundError
from buntime.helpers.content import PIECE
from buntime.transport import FakeTransport


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session of a fake."""
    with Buntime(transport=FakeTransport()) as client:
        yield client.sessions.create()


def test_text(session: Session) -> None:
    """Lines are written at the end of the block and read with any line ends."""
    with session.files.open("a/b.txt", "w") as file:
        print("é", file=file)
        file.write("two\r\n")
        assert not session.files.exists("a/b.txt")
    assert "é\ntwo\r\n" == session.files.read("a/b.txt")
    with session.files.open("a/b.txt") as file:
        assert ["é\n", "two\n"] == list(file)
    with session.files.open("a/b.txt", "a") as file:
        file.write("three")
    assert session.files.read("a/b.txt").endswith("\nthree")


def test_bytes(session: Session) -> None:
    """A large file is written and read in pieces, from any position."""
    content = b"abc" * PIECE
    with session.files.open("a.bin", "xb") as file:
        assert len(content) == file.write(content)
    with session.files.open("a.bin", "rb") as file:
        assert content == file.read()
        assert b"" == file.read(1)
        assert len(content) - 2 == file.seek(-2, os.SEEK_END)
        assert b"bc" == file.read(5)
        assert len(content) == file.tell()
        assert PIECE + 1 == file.seek(PIECE + 1)
        assert content[PIECE + 1 : PIECE + 3] == file.read(2)
        file.seek(len(content) + 10)
        assert b"" == file.read()
        with pytest.raises((ValueError, OSError)):
            file.seek(-1)


@pytest.mark.parametrize("mode", ["w", "wb", "a", "x"])
def test_a_block_that_raises_writes_nothing(session: Session, mode: str) -> None:
    """The old content stays."""
    if mode != "x":
        session.files.write("a", "old")
    file = session.files.open("a", mode)
    file.write(b"new" if mode == "wb" else "new")
    with pytest.raises(ZeroDivisionError), file:
        raise ZeroDivisionError
    assert file.closed
    assert ("x" == mode) or "old" == session.files.read("a")
    assert ("x" != mode) or not session.files.exists("a")


def test_errors_of_open(session: Session) -> None:
    """They are raised before the block."""
    session.files.mkdir("folder")
    session.files.write("a", "1")
    for path, mode, error in [
        ("missing", "r", SessionFileNotFoundError),
        ("folder", "rb", InvalidRequestError),
        ("a", "x", FileExistsError),
        ("a", "r+", ValueError),
    ]:
        with pytest.raises(error):
            session.files.open(path, mode)
    file = session.files.open("new", "x")
    session.files.write("new", "of another client")
    with pytest.raises(FileExistsError):
        file.close()


def test_a_file_that_changes_while_it_is_read(session: Session) -> None:
    """Parts of two versions are never mixed."""
    session.files.write("a", b"\xff" * (PIECE + 9))
    with session.files.open("a", "rb") as file:
        file.read(1)
        session._context.caller.sleep(2)
        session.files.write("a", b"\x00" * (PIECE + 9))
        with pytest.raises(ConflictError):
            file.read()


def test_paths(session: Session) -> None:
    """The methods are those of pathlib."""
    path = session.files.path("/workspace/a") / "b.tar.gz"
    assert ("b.tar.gz", "b.tar", ".gz", ("a", "b.tar.gz")) == (path.name, path.stem, path.suffix, path.parts)
    assert ("a", "a/c", "a/b.tar.xz") == (
        str(path.parent),
        str(path.with_name("c")),
        str(path.with_suffix(".xz")),
    )
    assert path == session.files.path("a/b.tar.gz") != path.parent
    assert path != "a/b.tar.gz"
    assert 1 == len({path, session.files.path("a/b.tar.gz")})
    assert f"<SessionPath 'a/b.tar.gz' of {session.id}>" == repr(path)
    assert not path.exists()
    assert not path.is_file()
    path.write_text("text")
    assert "text" == path.read_text()
    path.write_bytes(b"\xff")
    assert (b"\xff", 1) == (path.read_bytes(), path.stat().size)
    assert path.is_file()
    assert path.parent.is_dir()
    top = session.files.path()
    assert [path.parent] == top.iterdir()
    assert [path] == top.glob("**/*.gz") == path.parent.glob("*.gz") == path.parent.iterdir()
    session.files.write("[x]/y", "")
    assert ["[x]/y"] == [str(each) for each in (top / "[x]").glob("*")]
    session.files.delete("[x]", recursive=True)
    new = path.rename(path.with_name("new"))
    assert "a/new" == str(new)
    with new.open("ab") as file:
        file.write(b"\xfe")
    assert b"\xff\xfe" == new.read_bytes()
    new.unlink()
    new.unlink(missing_ok=True)
    (top / "d" / "e").mkdir()
    with pytest.raises(InvalidRequestError):
        (top / "d").mkdir(exist_ok=False)
    with pytest.raises(SessionFileNotFoundError):
        (top / "f" / "g").mkdir(parents=False)
