"""A download or an upload without options deleted the files that existed only at its target."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime import Buntime
from buntime.transport import FakeTransport
from tests.support.folders import content_of, fill


def test_both_directions_keep_files_by_default(tmp_path: Path) -> None:
    """Files that exist only at the target stay, and the result lists no removed file."""
    with Buntime(transport=FakeTransport()) as client, client.sessions.create() as session:
        session.files.write("work/theirs.txt", "theirs")
        mine = fill(tmp_path / "mine", {"mine.txt": "mine"})
        assert () == session.files.upload(mine, "work").removed
        assert () == client.files.upload(session_id=session.id, local=mine, remote="work").removed
        assert "theirs" == session.files.read("work/theirs.txt")
        target = fill(tmp_path / "target", {"precious/notes.txt": "precious"})
        assert () == session.files.download("work", target).removed
        assert () == client.files.download(session_id=session.id, remote="work", local=target).removed
    assert {"mine.txt", "precious", "precious/notes.txt", "theirs.txt"} == set(content_of(target))


def test_delete_makes_an_exact_copy(tmp_path: Path) -> None:
    """With ``delete=True``, files that exist only at the target are deleted and listed."""
    with Buntime(transport=FakeTransport()) as client, client.sessions.create() as session:
        session.files.write("work/theirs.txt", "theirs")
        mine = fill(tmp_path / "mine", {"mine.txt": "mine"})
        assert ("theirs.txt",) == session.files.upload(mine, "work", delete=True).removed
        target = fill(tmp_path / "target", {"old.txt": "old"})
        assert ("old.txt",) == session.files.download("work", target, delete=True).removed
    assert {"mine.txt": b"mine"} == content_of(target)


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    """A folder in place of a file stays, and the error names it and the option that replaces it."""
    with Buntime(transport=FakeTransport()) as client, client.sessions.create() as session:
        session.files.write("work/name", "a file")
        target = fill(tmp_path / "target", {"name/precious.txt": "precious"})
        with pytest.raises(FileExistsError, match=r"'name'.*delete=True"):
            session.files.download("work", target)
        with pytest.raises(FileExistsError, match=r"'name'.*delete=True"):
            session.files.upload(target, "work")
        assert "a file" == session.files.read("work/name")
    assert b"precious" == content_of(target)["name/precious.txt"]
