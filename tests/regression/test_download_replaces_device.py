"""A download replaced devices and pipes, kept setuid bits, and did not verify small files."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime, ConflictError, Session
from buntime.service.scripted import file_helpers
from buntime.transport import FakeTransport
from tests.support.folders import content_of, fill


@pytest.fixture
def session() -> Session:
    """Return a session of a fake service, with a file ``up/name``."""
    session = Buntime(transport=FakeTransport()).sessions.create()
    session.files.write("up/name", "content")
    return session


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
@pytest.mark.parametrize("delete", [False, True])
def test_pipes_and_devices_stay(session: Session, tmp_path: Path, delete: bool) -> None:
    """As the target itself, behind a link and inside the target folder: the error names them."""
    folder = fill(tmp_path / "folder", {})
    os.mkfifo(folder / "name")
    (tmp_path / "link").symlink_to(folder / "name")
    for target in (folder / "name", tmp_path / "link", Path("/dev/null")):
        with pytest.raises(FileExistsError, match="device, a pipe"):
            session.files.download("up/name", target, delete=delete)
    with pytest.raises(FileExistsError, match="'name'"):
        session.files.download("up", folder, delete=delete)
    assert stat.S_ISFIFO((folder / "name").lstat().st_mode)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no setuid bit")
@pytest.mark.parametrize("name", ["name", ""])
def test_setuid_is_not_inherited(session: Session, tmp_path: Path, name: str) -> None:
    """New content does not run with the rights of the file that it replaces."""
    target = fill(tmp_path / "down", {"name": "old"})
    (target / "name").chmod(0o6755)
    session.files.download(f"up/{name}".rstrip("/"), target / name)
    assert 0o755 == stat.S_IMODE((target / "name").stat().st_mode)


@pytest.mark.parametrize("size", [10, 700_000, 1_000_000, 4_000_000])
@pytest.mark.parametrize("path", ["up", "up/name"])
def test_content_of_every_size_is_verified(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, size: int
) -> None:
    """Bytes that differ from the hash in the list are a ConflictError, and no file appears."""
    session.files.write("up/name", b"\xff" * size)
    encode = file_helpers._base64

    def changed(content: bytes) -> str:
        return base64.b64encode(b"\xfe" + content[1:]).decode() if content else encode(content)

    monkeypatch.setattr(file_helpers, "_base64", changed)
    with pytest.raises(ConflictError, match="name"):
        session.files.download(path, tmp_path / "down" if path == "up/name" else tmp_path)
    assert {} == content_of(tmp_path)


def test_truncated_content_is_detected(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty text in place of a file is not its content."""
    encode: Any = file_helpers._base64
    monkeypatch.setattr(file_helpers, "_base64", lambda content: encode(b""))
    with pytest.raises(ConflictError, match="name"):
        session.files.download("up", tmp_path / "down")
    assert {"down": None} == content_of(tmp_path)
