"""Read, write and list files."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from buntime import InvalidRequestError, Session, SessionFileNotFoundError
from tests.contract import programs

NAMES = [
    "plain.txt",
    "with space.txt",
    "q'uo\"te.txt",
    "ünïcödé-☃.txt",
    "-dash.txt",
    "a&b=c%20#?.txt",
    "new\nline",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_round_trip(session: Session, name: str) -> None:
    """Names are unchanged in bodies, in queries and in lists."""
    written = session.files.write(name, "the content of " + name)
    assert (name, len(("the content of " + name).encode())) == (written.path, written.size)
    assert "the content of " + name == session.files.read(name)
    assert [name] == [info.path for info in session.files.list()]


def test_text_round_trips(session: Session) -> None:
    """Line ends, a byte order mark, NUL and an empty text are unchanged."""
    for content in ("", "a\r\nb\rc\n", "\ufeffmarked", "nul\0nul", "é☃😀", "x" * 1_000_000):
        session.files.write("text", content)
        assert content == session.files.read("text")


def test_writing_replaces_files_and_creates_folders(session: Session) -> None:
    """The old content is replaced, and parent folders are created."""
    session.files.write("a/b/c.txt", "a longer first text")
    session.files.write("/workspace/a/b/c.txt", "second")
    assert "second" == session.files.read("a/b/c.txt")


def test_a_folder_lists_its_children(session: Session) -> None:
    """Only direct children, sorted, with paths relative to the workspace."""
    for path in ("b.txt", "a/x.txt", "a/y/z.txt", "c.txt"):
        session.files.write(path, path)
    top = session.files.list()
    assert [("a", "directory"), ("b.txt", "file"), ("c.txt", "file")] == [(i.path, i.type) for i in top]
    assert ["a/x.txt", "a/y"] == [info.path for info in session.files.list("a")]
    assert ["a/x.txt", "a/y"] == [info.path for info in session.files.list("/workspace/a")]
    file = top[1]
    assert len("b.txt") == file.size
    assert file.modified is not None
    assert file.modified.tzinfo is not None
    assert abs((datetime.now(timezone.utc) - file.modified).total_seconds()) < 3600


def test_a_long_folder_is_listed_completely(session: Session) -> None:
    """More children than fit on a page are all listed, page by page."""
    files = {f"many/{number:03}.txt": "" for number in range(205)}
    for start in range(0, 205, 100):
        part = dict(list(files.items())[start : start + 100])
        session.execute(programs.HELLO, files=part)
    assert sorted(files) == [info.path for info in session.files.list("many")]


def test_a_missing_file_is_not_found(session: Session) -> None:
    """The error is also a FileNotFoundError, and contains the path."""
    with pytest.raises(FileNotFoundError) as caught:
        session.files.read("missing.txt")
    error = caught.value
    assert isinstance(error, SessionFileNotFoundError)
    assert (404, "file_not_found", "missing.txt") == (error.status, error.code, error.filename)


def test_a_missing_folder_is_not_found(session: Session) -> None:
    """Listing a missing folder is an error, not an empty list."""
    with pytest.raises(SessionFileNotFoundError):
        session.files.list("missing")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "/workspace/../x", "..", "/"])
def test_a_path_outside_is_rejected(session: Session, path: str) -> None:
    """Neither reading nor writing can leave the workspace."""
    for call in (lambda: session.files.read(path), lambda: session.files.write(path, "x")):
        with pytest.raises(InvalidRequestError) as caught:
            call()
        assert (400, "invalid_request") == (caught.value.status, caught.value.code)


def test_a_folder_is_not_a_file(session: Session) -> None:
    """Reading or overwriting a folder, or writing below a file, raises an error."""
    session.files.write("folder/file", "")
    for call in (
        lambda: session.files.read("folder"),
        lambda: session.files.write("folder", ""),
        lambda: session.files.write("folder/file/below", ""),
    ):
        with pytest.raises(InvalidRequestError):
            call()
