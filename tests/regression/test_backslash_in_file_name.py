r"""Bun 1.3 treated a backslash as a slash: it wrote ``A`` instead of ``A\``, or failed with ENOTDIR."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime, InvalidRequestError, Session
from buntime.transport import LocalTransport
from tests.support.folders import content_of, fill

NAMES = ("A", "A\\", "\\", "\\A", "B", "B\\c", "d\\e/A", "d\\e/..\\A", "d/e/A")


@pytest.fixture
def session() -> Iterator[Session]:
    """Return a session on a real Bun."""
    with Buntime(transport=LocalTransport(isolation="none")) as client, client.sessions.create() as session:
        yield session


def test_a_backslash_is_part_of_a_name(session: Session, tmp_path: Path) -> None:
    """Backslashes survive uploads and downloads of folders and of single files."""
    source = fill(tmp_path / "source", {name: name for name in NAMES})
    session.files.upload(source, "up")
    session.files.download("up", tmp_path / "target")
    assert content_of(source) == content_of(tmp_path / "target")
    for name in NAMES:
        session.files.write(f"one/{name}", name.encode() + b"\xff")
    assert [name.encode() + b"\xff" for name in NAMES] == [
        session.files.read_bytes(f"one/{name}") for name in NAMES
    ]


def test_links_with_a_backslash_in_their_name(session: Session) -> None:
    """Links are followed inside the workspace only."""
    session.execute(command=r"mkdir 'd\e'; echo inside > 'd\e/f'", check=True)
    session.execute(command=r"ln -s 'd\e' 'l\in'; ln -s /etc 'l\out'; ln -s 'o\o' 'o\o'", check=True)
    assert b"inside\n" == session.files.read_bytes("l\\in/f")
    for name in ("l\\out/passwd", "o\\o"):
        with pytest.raises(InvalidRequestError):
            session.files.read_bytes(name)
