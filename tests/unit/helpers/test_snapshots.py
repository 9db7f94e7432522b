"""Snapshots of a workspace as tar archives, on the fake."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from buntime import Buntime, ConflictError, Session, SessionNotFoundError, SnapshotResult
from buntime.helpers.content import PIECE
from buntime.transport import FakeTransport
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always

_FILES = {
    "a.txt": b"text",
    "empty/.keep": b"",
    "src/main.ts": b"\xff\x00",
    "x/large.bin": b"ab" * PIECE,
    "é" * 80: b"1",
}


@pytest.fixture
def fake() -> FakeTransport:
    """Return a fake."""
    return FakeTransport()


@pytest.fixture
def client(fake: FakeTransport) -> Iterator[Buntime]:
    """Return a client with the fake."""
    with Buntime(transport=fake) as client:
        yield client


@pytest.fixture
def session(client: Buntime) -> Session:
    """Return a session with files."""
    session = client.sessions.create()
    for path, content in _FILES.items():
        session.files.write(path, content)
    return session


def _contents(session: Session) -> dict[str, bytes]:
    files = session.files.list(recursive=True)
    return {file.path: session.files.read_bytes(file.path) for file in files if file.type == "file"}


@pytest.mark.parametrize("name", ["saved.tar", "saved.tar.gz", "saved.tgz"])
def test_a_snapshot_is_restored(client: Buntime, session: Session, tmp_path: Path, name: str) -> None:
    """A new session has the same files; the archive is one that `tar` reads."""
    session.files.mkdir("folder")
    size = sum(map(len, _FILES.values()))
    assert SnapshotResult(len(_FILES), size) == session.snapshot(tmp_path / name)
    with tarfile.open(tmp_path / name) as tar:
        assert {*_FILES, "empty", "src", "x", "folder"} == set(tar.getnames())
        assert tar.getmember("a.txt").mtime == int(session.files.stat("a.txt").modified.timestamp())  # type: ignore[union-attr]  # the fake has dates
    other = client.sessions.create(snapshot=str(tmp_path / name))
    assert _FILES == _contents(other)
    assert "directory" == other.files.stat("folder").type
    other.files.write("a.txt", "changed")
    other.files.write("more.txt", "stays")
    assert SnapshotResult(len(_FILES), size) == other.restore(tmp_path / name)
    assert {**_FILES, "more.txt": b"stays"} == _contents(other)


def test_open_files(client: Buntime, session: Session) -> None:
    """An archive can be written to and read from an open file, from its position."""
    file = io.BytesIO()
    file.write(b"before")
    session.snapshot(file, ignore=["*.bin"])
    file.seek(6)
    assert _FILES.keys() - {"x/large.bin"} == _contents(client.sessions.create(snapshot=file)).keys()

    class OneWay(io.BytesIO):
        def seekable(self) -> bool:
            return False

    assert len(_FILES) - 1 == session.restore(OneWay(file.getvalue()[6:])).files


def test_ignored_paths_are_reported(session: Session) -> None:
    """An ignored folder is one path, whatever is below it."""
    session.files.write("src-old", "sorts between src and src/main.ts")
    result = session.snapshot(io.BytesIO(), ignore=["src/", "x/*.bin"])
    assert (("src", "x/large.bin"), 4) == (result.ignored, result.files)


def _archive(**fields: Any) -> IO[bytes]:
    info = tarfile.TarInfo()
    for name, value in fields.items():
        setattr(info, name, value)
    return io.BytesIO(info.tobuf() + bytes(1024))


@in_one_test(
    ("archive", "problem"),
    [
        (_archive(name="../x"), "leads outside"),
        (_archive(name="/etc/passwd"), "leads outside"),
        (_archive(name="a", type=tarfile.CHRTYPE), "not a file"),
        (_archive(name="a", type=tarfile.LNKTYPE, linkname="b"), "not a file"),
        (_archive(name="a/b", type=tarfile.SYMTYPE, linkname="../../c"), "leads outside"),
        (_archive(name="a/b", type=tarfile.SYMTYPE, linkname="/etc"), "leads outside"),
        (_archive(name="a", size=9999), "damaged"),
        (io.BytesIO(b"not an archive"), "damaged"),
        (io.BytesIO(b"\x1f\x8b\x08truncated"), "damaged"),
    ],
)
def test_an_archive_that_cannot_be_restored(archive: IO[bytes], problem: str) -> None:
    """It is an error before a session is created or anything is sent."""
    transport = ScriptedTransport(always(responses.as_json, {}))
    client = Buntime(transport=transport)
    with pytest.raises(ValueError, match=problem):
        client.sessions.create(snapshot=archive)
    archive.seek(0)
    with pytest.raises(ValueError, match=problem):
        client.sessions.attach("ses_1").restore(archive)
    assert [] == transport.requests


def test_links_and_hidden_files(session: Session) -> None:
    """The fake has no links, and reports them; members of the library's own folder are passed over."""
    archive = _archive(name="./a/b", type=tarfile.SYMTYPE, linkname="../c")
    assert SnapshotResult(0, 0, (), ("a/b",)) == session.restore(archive)
    assert SnapshotResult(0, 0) == session.restore(_archive(name=".buntime/x"))


def test_a_failure_leaves_nothing(
    client: Buntime, fake: FakeTransport, session: Session, tmp_path: Path
) -> None:
    """Neither a local file nor a session that nothing refers to remains."""
    ended = client.sessions.create()
    ended.delete()
    with pytest.raises(SessionNotFoundError):
        ended.snapshot(tmp_path / "saved.tar")
    assert [] == list(tmp_path.iterdir())
    with pytest.raises(SessionNotFoundError):
        ended.renew()
    assert [session.id] == list(fake.sessions)


def test_renew(session: Session, caplog: pytest.LogCaptureFixture) -> None:
    """The new session has the files; the old one stays."""
    renewed = session.renew(ttl=600)
    assert session.id != renewed.id
    assert _FILES == _contents(renewed) == _contents(session)
    assert [] == caplog.messages


def _scripted(*replies: str) -> Session:
    steps = [always(responses.as_json, responses.result(stdout=reply)) for reply in replies]
    return Buntime(transport=ScriptedTransport(*steps)).sessions.attach("ses_1")


def _entry(path: str, size: int, **fields: Any) -> str:
    return json.dumps({"path": path, "size": size, "modified": 1000, "type": "file", **fields})


def _range(size: int, base64: str) -> str:
    return f'{{"size": {size}, "stamp": "1", "sha256": null, "base64": "{base64}"}}'


def _listing(*entries: str) -> str:
    return f'{{"root": {_entry("", 0, type="directory")}, "entries": [{", ".join(entries)}], "next": null}}'


_GONE = '{"error": {"code": "ENOENT", "message": "no such file"}}'


def test_files_that_change_meanwhile() -> None:
    """One that has grown is saved, one that has vanished is skipped."""
    listing = _listing(_entry("gone", 1), _entry("grown", 1), _entry("odd", 0, type="other"))
    session = _scripted(listing, '{"contents": [null, null]}', _GONE, _range(3, "YWJj"))
    file = io.BytesIO()
    assert SnapshotResult(1, 3, (), ("gone", "odd")) == session.snapshot(file)
    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        assert ["grown"] == tar.getnames()


def test_a_large_file_that_changes_meanwhile() -> None:
    """Its size is in the archive already."""
    text = "AAAA" * (PIECE // 3)
    session = _scripted(_listing(_entry("a", 2 * PIECE)), _range(PIECE, text))
    with pytest.raises(ConflictError, match="changed"):
        session.snapshot(io.BytesIO())
