"""A folder that vanished, could not be read or had a name that is not UTF-8 failed each recursive call."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime, Session, SessionFileNotFoundError
from buntime.transport import FakeTransport, LocalTransport
from tests.support.folders import content_of, fill


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    """Return a session on this machine, in a sandbox, where root cannot read every file either."""
    with Buntime(transport=LocalTransport()) as client, client.sessions.create() as session:
        yield session


def _make_unreadable(session: Session) -> None:
    session.execute(
        command="mkdir -p up/closed up/$(printf 'caf\\351') && touch up/$(printf 'caf\\351')/a up/closed/b "
        "&& echo ok > up/fine.txt && echo x > up/secret.txt && touch up/$(printf 'b\\351se') "
        "&& chmod 000 up/closed up/secret.txt",
        check=True,
    )


def test_a_list_passes_over_what_cannot_be_read(session: Session) -> None:
    """Folders appear in the list without their content."""
    _make_unreadable(session)
    listed = {info.path: info.type for info in session.files.list("up", recursive=True)}
    assert {
        "up/b\ufffdse": "file",
        "up/caf\ufffd": "directory",
        "up/closed": "directory",
        "up/fine.txt": "file",
        "up/secret.txt": "file",
    } == listed


def test_a_download_names_what_cannot_be_read(session: Session, tmp_path: Path) -> None:
    """The rest arrives, and with ``delete`` local files in place of an unreadable one stay."""
    _make_unreadable(session)
    local = fill(tmp_path / "down", {"closed/b": "mine", "secret.txt": "mine", "old": ""})
    odd = os.fsdecode(b"b\xe9se")
    (local / odd).write_text("mine")
    result = session.files.download("up", local, delete=True)
    assert (("fine.txt",), ("old",)) == (result.transferred, result.removed)
    assert ("b\ufffdse", "caf\ufffd", "closed", "secret.txt") == result.skipped
    assert {odd, "closed", "closed/b", "fine.txt", "secret.txt"} == set(content_of(local))


def test_an_upload_keeps_what_cannot_be_read(session: Session, tmp_path: Path) -> None:
    """With ``delete``, an upload deletes the rest, and names what stayed."""
    _make_unreadable(session)
    result = session.files.upload(fill(tmp_path / "here", {"new.txt": "new"}), "up", delete=True)
    assert (("new.txt",), ("fine.txt",)) == (result.transferred, result.removed)
    assert ("b\ufffdse", "caf\ufffd", "closed", "secret.txt") == result.skipped


def test_folders_that_vanish_meanwhile(session: Session, tmp_path: Path) -> None:
    """Each call beside a program that creates and removes folders completes with the files that stay."""
    session.files.write("up/stays.txt", "stays")
    churn = (
        "while [ ! -e stop ]; do mkdir -p up/a/b/c up/d; echo 1 > up/a/b/f; echo 2 > up/d/g; "
        "rm -rf up/a up/d; done"
    )
    process = session.start(command=churn)
    try:
        for number in range(8):
            assert "up/stays.txt" in {info.path for info in session.files.list("up", recursive=True)}
            session.files.download("up", tmp_path / f"down{number}")
            assert b"stays" == content_of(tmp_path / f"down{number}")["stays.txt"]
    finally:
        session.files.write("stop", "")
        process.wait(timeout=60)


def test_files_that_vanish_after_the_list(tmp_path: Path) -> None:
    """Small files and large ones, in a download and in an upload: the rest arrives, and they are named."""
    large = b"\xff" * 2_000_000
    fake = FakeTransport()
    with Buntime(transport=fake) as client, client.sessions.create() as session:
        for name in ("a", "b", "z"):
            session.files.write(f"up/{name}.txt", name)
            session.files.write(f"up/{name}.bin", large)

        def remove(_done: int, _total: int, name: str) -> None:
            if name == "a.txt":
                session.files.delete("up/b.bin", missing_ok=True)

        result = session.files.download("up", tmp_path / "down", progress=remove)
        assert ("b.bin",) == result.skipped
        assert {"a.bin", "a.txt", "b.txt", "z.bin", "z.txt"} == set(result.transferred)
        assert {"a.bin", "a.txt", "b.txt", "z.bin", "z.txt"} == set(content_of(tmp_path / "down"))
        with pytest.raises(SessionFileNotFoundError):
            session.files.download("up/b.bin", tmp_path / "one.bin")

        here = fill(tmp_path / "here", {"a.txt": "A", "b.bin": large, "z.txt": "Z"})
        sent = session.files.upload(
            here, "other", progress=lambda *_: (here / "b.bin").unlink(missing_ok=True)
        )
        assert (("a.txt", "z.txt"), ("b.bin",)) == (sent.transferred, sent.skipped)
        assert not session.files.exists("other/b.bin")


def test_a_local_folder_that_vanishes_during_the_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is passed over."""
    here = fill(tmp_path / "here", {"a/b.txt": "b", "c.txt": "c"})
    scandir = os.scandir

    def removing(folder: Any) -> Any:
        if folder == here / "a" and (here / "a").exists():
            shutil.rmtree(here / "a")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", removing)
    with Buntime(transport=FakeTransport()) as client, client.sessions.create() as session:
        assert ("c.txt",) == session.files.upload(here, "up").transferred


def test_a_local_folder_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upload of it is refused before anything is sent; a download beside it succeeds."""
    here = fill(tmp_path / "here", {"closed/b.txt": "b", "c.txt": "c"})
    scandir = os.scandir

    def refusing(folder: Any) -> Any:
        if Path(folder) == here / "closed":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    with Buntime(transport=FakeTransport()) as client, client.sessions.create() as session:
        with pytest.raises(PermissionError, match="closed"):
            session.files.upload(here, "up")
        assert not session.files.exists("up")
        session.files.write("up/d.txt", "d")
        assert ("c.txt",) == session.files.download("up", here, delete=True).removed
    assert {"closed", "d.txt"} == set(os.listdir(here))
