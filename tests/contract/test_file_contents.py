"""Binary content, large files, and operations on files."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from buntime import Buntime, InvalidRequestError, Session, SessionFileNotFoundError, SessionNotFoundError
from buntime.helpers import content as real
from tests.contract.test_files import NAMES
from tests.contract.transports import FOR_HELPERS, PIECE, WHOLE_TEXT, matrix, runs_on

RUNS_ON = FOR_HELPERS

BYTES = bytes(range(256))
OUTSIDE = ["../x", "a/../../x", "/etc/passwd", "/workspace/../x", ".."]


def _noise(size: int) -> bytes:
    return random.Random(size).randbytes(size)


# test_files.py writes text with each of these names on all transports.
@matrix("name", NAMES[::-1], common=1)
def test_any_name_in_every_call(session: Session, name: str) -> None:
    """Helpers accept every valid file name."""
    assert (name, 256) == ((written := session.files.write(name, BYTES)).path, written.size)
    assert BYTES == session.files.read_bytes(name)
    assert (name, 256, "file") == ((info := session.files.stat(name)).path, info.size, info.type)
    session.files.move(name, f"folder {name}/{name}")
    assert not session.files.exists(name)
    assert [f"folder {name}", f"folder {name}/{name}"] == [
        entry.path for entry in session.files.list(recursive=True)
    ]
    session.files.delete(f"folder {name}", recursive=True)
    assert [] == session.files.list()


# Content is split and joined above the transport.
@matrix(
    "size",
    [0, PIECE + 1, 1, 1000, PIECE - 1, PIECE, 2 * PIECE, WHOLE_TEXT + 1],
    common=2,
)
def test_bytes_of_any_size(session: Session, size: int) -> None:
    """The content is unchanged, whether it is sent at once or in chunks."""
    _assert_bytes_round_trip(session, size)


@pytest.mark.usefixtures("real_sizes")
@runs_on("fake", "local", "http")
def test_bytes_of_real_sizes(session: Session) -> None:
    """The service accepts a piece, and text that is as long as a request may be."""
    _assert_bytes_round_trip(session, real.PIECE + 1)
    text = "é☃😀\n" * (real.WHOLE_TEXT // 10)
    session.files.write("long.txt", text)
    assert text == session.files.read("long.txt")


def _assert_bytes_round_trip(session: Session, size: int) -> None:
    content = _noise(size)
    assert size == session.files.write("deep/down.bin", content).size
    assert size == session.files.stat("deep/down.bin").size
    assert content == session.files.read_bytes("deep/down.bin")
    assert ["deep", "deep/down.bin"] == [info.path for info in session.files.list(recursive=True)]


# The test above sends chunks on the other transports.
@matrix("size", [1000, 2 * PIECE + 5], common=1)
def test_every_form_of_content(session: Session, tmp_path: Path, size: int) -> None:
    """A local file, an open file, chunks of any length and views of bytes are all written unchanged."""
    content = _noise(size)
    local = tmp_path / "local.bin"
    local.write_bytes(content)

    def pieces() -> Iterator[bytes]:
        yield b""
        yield content[:7]
        yield content[7 : size // 2 + 100]
        yield content[size // 2 + 100 :]

    for form in (local, io.BytesIO(content), pieces(), [content], bytearray(content), memoryview(content)):
        assert len(content) == session.files.write("copy.bin", form).size
        assert content == session.files.read_bytes("copy.bin")


def test_every_form_of_text(session: Session) -> None:
    """Bytes that are valid text are written as text."""
    for form in (io.BytesIO(b"text"), [b"te", b"xt"], iter([b"text"]), b"text"):
        session.files.write("copy.txt", form)
        assert "text" == session.files.read("copy.txt")


@runs_on("fake", "local", "local_without_isolation", "http", "recorded_local", "replayed_local")
def test_text_above_the_limit_of_a_request(session: Session) -> None:
    """It is sent in chunks that split characters, and arrives unchanged."""
    text = "é☃😀\n" * (WHOLE_TEXT // 10 + 1)
    session.files.write("long.txt", text)
    assert text == session.files.read("long.txt")


@pytest.mark.parametrize("form", [lambda: iter([b"x" * PIECE, 1]), lambda: io.StringIO("text")])
def test_failing_content_keeps_the_file(session: Session, form: object) -> None:
    """If an iterable raises an error, the file stays unchanged and no part is left behind."""
    session.files.write("kept.txt", "kept")
    with pytest.raises(TypeError, match="content"):
        session.files.write("kept.txt", form())  # type: ignore[operator]  # a function that returns content
    assert "kept" == session.files.read("kept.txt")
    assert ["kept.txt"] == [info.path for info in session.files.list(recursive=True)]


@matrix("size", [10, 3 * PIECE], common=1)
def test_bytes_at_an_invalid_path(session: Session, size: int) -> None:
    """A folder, the workspace, a path below a file, and a path outside raise an error."""
    session.files.write("folder/file", "")
    for path in ("folder", "folder/file/below", ".", *OUTSIDE):
        with pytest.raises(InvalidRequestError):
            session.files.write(path, b"\xff" * size)
    assert ["folder", "folder/file"] == [info.path for info in session.files.list(recursive=True)]


def test_reading_missing_bytes(session: Session) -> None:
    """The error is the same as for text."""
    session.files.write("folder/file", "")
    for path in ("missing", "folder/missing", "folder/file/below"):
        with pytest.raises(FileNotFoundError) as caught:
            session.files.read_bytes(path)
        assert (path, "file_not_found") == (caught.value.filename, caught.value.code)  # type: ignore[attr-defined]  # an attribute of buntime's error
    for path in ("folder", *OUTSIDE):
        with pytest.raises(InvalidRequestError):
            session.files.read_bytes(path)


def test_stat(session: Session) -> None:
    """Size, date and type; the path relative to the workspace."""
    session.files.write("a/b.txt", "é")
    info = session.files.stat("/workspace/a/./b.txt")
    assert ("a/b.txt", 2, "file") == (info.path, info.size, info.type)
    assert info.modified is not None
    assert abs((datetime.now(timezone.utc) - info.modified).total_seconds()) < 3600
    assert ("a", 0, "directory") == ((folder := session.files.stat("a")).path, folder.size, folder.type)
    with pytest.raises(SessionFileNotFoundError):
        session.files.stat("a/b.txt/c")


def test_exists(session: Session) -> None:
    """True for files and folders; a path outside raises an error."""
    session.files.write("a/b.txt", "")
    assert [True, True, False, False] == [
        session.files.exists(path) for path in ("a", "a/b.txt", "b", "a/b.txt/c")
    ]
    with pytest.raises(InvalidRequestError):
        session.files.exists("../a")


def test_mkdir(session: Session) -> None:
    """Creates parent folders; repeating it has no effect; an existing file is an error."""
    session.files.mkdir("a/b/c")
    session.files.mkdir("/workspace/a/b/c")
    session.files.write("file", "")
    assert ["a", "a/b", "a/b/c", "file"] == [info.path for info in session.files.list(recursive=True)]
    for path in ("file", "file/below", "../a"):
        with pytest.raises(InvalidRequestError) as caught:
            session.files.mkdir(path)
        assert "EEXIST" not in str(caught.value)


def test_move(session: Session) -> None:
    """A file or a folder gets another path, including new parent folders."""
    session.files.write("a/b.txt", "text")
    session.files.move("a/b.txt", "c/d/e.txt")
    session.files.move("c", "f/c")
    session.files.move("f/c", "f/c")
    assert ["a", "f", "f/c", "f/c/d", "f/c/d/e.txt"] == [
        info.path for info in session.files.list(recursive=True)
    ]
    assert "text" == session.files.read("f/c/d/e.txt")


def test_a_move_overwrites_only_files_on_request(session: Session) -> None:
    """A file replaces a file on request; nothing replaces a folder."""
    session.files.write("a", "a")
    session.files.write("b", "b")
    session.files.write("folder/x", "x")
    for source, target, overwrite in (
        ("a", "b", False),
        ("a", "folder", True),
        ("folder", "b", True),
        ("folder", "folder/inside", False),
        (".", "elsewhere", False),
        ("a", "../a", False),
    ):
        with pytest.raises(InvalidRequestError):
            session.files.move(source, target, overwrite=overwrite)
    with pytest.raises(SessionFileNotFoundError):
        session.files.move("missing", "b", overwrite=True)
    session.files.move("a", "b", overwrite=True)
    assert "a" == session.files.read("b")
    assert not session.files.exists("a")


def test_delete(session: Session) -> None:
    """Deletes a file, an empty folder, or with ``recursive`` any folder; never the workspace itself."""
    session.files.write("a/b.txt", "")
    session.files.write("a/c/d.txt", "")
    session.files.delete("a/b.txt")
    for path in ("a", ".", "/workspace", "../a"):
        with pytest.raises(InvalidRequestError):
            session.files.delete(path)
    session.files.delete("a/c", recursive=True)
    session.files.delete("a")
    assert [] == session.files.list(recursive=True)


def test_deleting_a_missing_path(session: Session) -> None:
    """A missing path is an error by default."""
    with pytest.raises(SessionFileNotFoundError):
        session.files.delete("missing")
    session.files.delete("missing", missing_ok=True)


def test_listing_all(session: Session) -> None:
    """Everything below a folder except internal files, sorted, with paths relative to the workspace."""
    for path in ("b.txt", "a/x.txt", "a/y/z.bin", "a b"):
        session.files.write(path, b"\xff")
    assert ["a", "a b", "a/x.txt", "a/y", "a/y/z.bin", "b.txt"] == [
        info.path for info in session.files.list(recursive=True)
    ]
    for name in ("a", "/workspace/a", "./a/"):
        below = session.files.list(name, recursive=True)
        assert [("a/x.txt", "file", 1), ("a/y", "directory", 0), ("a/y/z.bin", "file", 1)] == [
            (info.path, info.type, info.size) for info in below
        ]
    with pytest.raises(SessionFileNotFoundError):
        session.files.list("missing", recursive=True)
    with pytest.raises(InvalidRequestError):
        session.files.list("b.txt", recursive=True)


def test_helpers_leave_no_trace(session: Session) -> None:
    """The internal files of helpers are neither listed nor counted."""
    session.files.write("a.bin", b"\xff" * PIECE)
    session.files.read_bytes("a.bin")
    assert 1 == session.info().files_count
    assert ["a.bin"] == [info.path for info in session.files.list()]


def test_an_ended_session(client: Buntime) -> None:
    """Every call raises SessionNotFoundError."""
    session = client.sessions.create()
    session.delete()
    for call in (
        lambda: session.files.write("a", b"\xff"),
        lambda: session.files.read_bytes("a"),
        lambda: session.files.stat("a"),
        lambda: session.files.exists("a"),
        lambda: session.files.delete("a", missing_ok=True),
        lambda: session.files.list(recursive=True),
    ):
        with pytest.raises(SessionNotFoundError):
            call()
