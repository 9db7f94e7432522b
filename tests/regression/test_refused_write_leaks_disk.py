"""Each write that was refused left its content in the hidden folder of the workspace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime, BuntimeError, InvalidRequestError, Session
from buntime.transport import LocalTransport

_FOLDERS = ("staged", "parts", "results", "calls")


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Return a new session, with its workspace below ``tmp_path``."""
    transport = LocalTransport(isolation="none", root=tmp_path / "root")
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        yield session


def _transferred(tmp_path: Path) -> list[str]:
    """Return the names of the hidden files that store the content of transfers."""
    return sorted(path.name for folder in _FOLDERS for path in tmp_path.glob(f"root/**/.buntime/{folder}/*"))


def test_nothing_is_left_of_refused_writes(session: Session, tmp_path: Path) -> None:
    """A write onto a folder, of one piece or several, leaves nothing; neither does an upload into a file."""
    session.files.mkdir("folder")
    session.files.write("file", "text")
    for size in (1_000_000, 5_000_000):
        with pytest.raises(InvalidRequestError):
            session.files.write("folder", os.urandom(size))
    (tmp_path / "source").mkdir()
    (tmp_path / "source/binary").write_bytes(os.urandom(1000))
    with pytest.raises(BuntimeError):
        session.files.upload(tmp_path / "source", "file/below")
    assert [] == _transferred(tmp_path)


def test_content_of_killed_helpers_is_deleted_later(session: Session, tmp_path: Path) -> None:
    """Content that a killed helper left is deleted by a later transfer, when it is an hour old."""
    for folder in (*_FOLDERS, "processes"):
        session.files.write(f".buntime/{folder}/old", "content")
        session.files.write(f".buntime/{folder}/new", "content")
    for old in tmp_path.rglob("old"):
        os.utime(old, (1e9, 1e9))
    session.files.write("binary", b"\xff")
    assert ["new"] * len(_FOLDERS) == _transferred(tmp_path)
    assert session.files.exists(".buntime/processes/old")
