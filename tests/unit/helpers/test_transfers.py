"""Transfers over the fake: the number of requests, lost connections and invalid responses."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buntime import (
    APIConnectionError,
    Buntime,
    BuntimeError,
    ConflictError,
    InvalidRequestError,
    InvalidResponseError,
    Session,
)
from buntime.helpers.content import PIECE
from buntime.transport import FakeTransport, FunctionTransport, Request, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.flaky import FlakyFake
from tests.support.folders import content_of, fill


@pytest.fixture
def fake() -> Iterator[FakeTransport]:
    """Return the service in memory, on the free plan."""
    fake = FakeTransport(plan="free")
    yield fake
    fake.close()


@pytest.fixture
def session(fake: FakeTransport) -> Session:
    """Return a session of it."""
    return Buntime(transport=fake, max_retries=0).sessions.create()


def _many(root: Path) -> Path:
    return fill(root, {f"{number % 50}/file {number}.txt": f"{number}" * 300 for number in range(2000)})


@pytest.mark.parametrize("direction", ["upload", "download"])
@pytest.mark.parametrize(("local", "kind"), [("", ValueError), (None, TypeError), (b"x", TypeError)])
def test_an_invalid_local_path(
    fake: FakeTransport, session: Session, direction: str, local: Any, kind: type[Exception]
) -> None:
    """An empty path would mean the current folder by mistake; nothing is sent or deleted."""
    session.files.write("keep.txt", "precious")
    before = len(fake.calls)
    move = {
        "upload": lambda: session.files.upload(local, ""),
        "download": lambda: session.files.download("", local),
    }
    with pytest.raises(kind, match="local"):
        move[direction]()
    assert before == len(fake.calls)


def test_progress_that_is_not_callable(fake: FakeTransport, session: Session, tmp_path: Path) -> None:
    """It is rejected before a request is sent."""
    before = len(fake.calls)
    invalid: Any = 3
    with pytest.raises(TypeError, match="progress"):
        session.files.upload(fill(tmp_path / "here", {"a": "b"}), "there", progress=invalid)
    with pytest.raises(TypeError, match="progress"):
        session.files.download("there", tmp_path / "other", progress=invalid)
    assert before == len(fake.calls)


def test_two_thousand_files_need_few_requests(fake: FakeTransport, session: Session, tmp_path: Path) -> None:
    """They need at most 25 up and 25 down, within the limits of the free plan; two if nothing changed."""
    source = _many(tmp_path / "source")
    before = len(fake.calls)
    assert 2000 == len(session.files.upload(source, "up").transferred)
    assert len(fake.calls) - before <= 25
    before = len(fake.calls)
    assert () == session.files.upload(source, "up").transferred
    assert len(fake.calls) - before <= 2
    before = len(fake.calls)
    session.files.download("up", tmp_path / "target")
    assert len(fake.calls) - before <= 25
    assert content_of(source) == content_of(tmp_path / "target")


def test_no_request_is_large(fake: FakeTransport, session: Session, tmp_path: Path) -> None:
    """Each request is below the limit of the smallest plan, whatever the content."""
    source = fill(tmp_path / "source", {f"{n}.bin": b"\xff" * (PIECE // 3) for n in range(9)})
    fill(source, {"large.bin": b"\xfe" * (4 * PIECE + 1)})
    session.files.upload(source, "up")
    bodies = [len(json.dumps(call.json)) for call in fake.calls]
    assert max(bodies) < 2 * PIECE
    assert all(len(call.json.get("code", "")) < 20_000 for call in fake.calls if call.json)


def test_repeated_lost_connections_fail_no_transfer(tmp_path: Path) -> None:
    """Every step is retried until it gets a response, and a step that runs twice has the effect of one."""
    source = fill(tmp_path / "source", {"a/b.txt": "b", "c.bin": b"\xff" * (3 * PIECE + 1), "d": None})
    with Buntime(transport=FlakyFake()) as client, client.sessions.create() as session:
        session.files.write("up/extra/file.txt", "extra")
        session.files.upload(source, "up", delete=True)
        session.files.download("up", tmp_path / "target")
        assert content_of(source) == content_of(tmp_path / "target")
        session.files.write("x.bin", b"\xff" * (2 * PIECE))
        assert b"\xff" * (2 * PIECE) == session.files.read_bytes("x.bin")
        session.files.move("x.bin", "y.bin")
        session.files.mkdir("y")
        session.files.delete("y.bin")
        assert ["up", "y"] == [info.path for info in session.files.list()]


def test_a_missing_file_is_an_error_unless_a_response_was_lost(fake: FakeTransport) -> None:
    """Deleting or moving a missing file is an error on a reliable network, and after an error response."""
    client = Buntime(transport=fake)
    session = client.sessions.create()
    fake.fail_next(503, code="unavailable")
    with pytest.raises(FileNotFoundError):
        session.files.delete("x")
    fake.fail_next(503, code="unavailable")
    with pytest.raises(FileNotFoundError):
        session.files.move("x", "y")
    session.files.write("x", "")
    fake.fail_next("dropped", call="POST /execute", times=3)
    with pytest.raises(APIConnectionError):
        session.files.move("x", "y")


def test_a_failed_transfer_leaves_no_piece(fake: FakeTransport, tmp_path: Path) -> None:
    """It leaves none here nor, if it is reachable, in the session; the old content is unchanged."""
    session = Buntime(transport=fake, max_retries=0).sessions.create()
    session.files.write("x.bin", "old")
    large = tmp_path / "large.bin"
    large.write_bytes(b"\xff" * (3 * PIECE))
    sent: list[int] = []

    def fail_then(done: int, _total: int, _name: str) -> None:
        sent.append(done)
        fake.fail_next(500, call="POST /execute")

    with pytest.raises(BuntimeError):
        session.files.upload(large, "x.bin", progress=fail_then)
    assert [PIECE] == sent
    assert "old" == session.files.read("x.bin")
    assert ["x.bin"] == list(fake.sessions[session.id].files)
    session.files.upload(large, "x.bin")
    (tmp_path / "down.bin").write_text("old")
    with pytest.raises(BuntimeError):
        session.files.download("x.bin", tmp_path / "down.bin", progress=fail_then)
    assert {"down.bin": b"old", "large.bin": large.read_bytes()} == content_of(tmp_path)


def test_a_file_that_changes_while_it_is_read(fake: FakeTransport, session: Session, tmp_path: Path) -> None:
    """It is an error, not a mixture of both contents."""
    session.files.write("x.bin", b"\xff" * (3 * PIECE))

    def change(_done: int, _total: int, _name: str) -> None:
        fake.advance(1)
        fake.sessions[session.id].write("x.bin", b"\xfe" * (3 * PIECE))

    with pytest.raises(ConflictError, match="changed"):
        session.files.download("x.bin", tmp_path / "x.bin", progress=change)
    assert {} == content_of(tmp_path)


def test_two_writers_of_the_same_file(fake: FakeTransport, session: Session) -> None:
    """Each writes its own pieces; the file is that of the last to finish."""

    def slow() -> Iterator[bytes]:
        yield b"\xfe" * PIECE
        session.files.write("x.bin", b"\xff" * (2 * PIECE))
        yield b"\xfe" * PIECE

    session.files.write("x.bin", slow())
    assert b"\xfe" * (2 * PIECE) == session.files.read_bytes("x.bin")


def test_an_escaping_link_is_not_sent(session: Session, tmp_path: Path) -> None:
    """It is an error before anything is sent; a link to a file inside is sent as that file."""
    (tmp_path / "secret").write_text("secret")
    source = fill(tmp_path / "source", {"real.txt": "real"})
    (source / "inside").symlink_to("real.txt")
    for target in (tmp_path / "secret", Path("missing"), Path("loop"), Path()):
        (source / "loop").symlink_to(target)
        with pytest.raises(ValueError, match="'loop'"):
            session.files.upload(source, "up")
        assert not session.files.exists("up")
        assert ("inside", "real.txt") == session.files.upload(source, "up", ignore="loop").transferred
        session.files.delete("up", recursive=True)
        (source / "loop").unlink()


def test_a_special_file_is_not_sent(session: Session, tmp_path: Path) -> None:
    """Reading a pipe would never end, and a name that is not Unicode cannot be written."""
    os.mkfifo(fill(tmp_path / "source", {}) / "pipe")
    with pytest.raises(ValueError, match="'pipe'"):
        session.files.upload(tmp_path / "source", "up")
    with pytest.raises(ValueError, match="pipe"):
        session.files.upload(tmp_path / "source/pipe", "up")
    (tmp_path / "source/pipe").unlink()
    (tmp_path / "source" / os.fsdecode(b"\xff.txt")).write_text("")
    with pytest.raises(ValueError, match="Unicode"):
        session.files.upload(tmp_path / "source", "up")


@pytest.mark.parametrize("ignore", ["", "/", "!keep", "a\ud800"])
def test_an_invalid_pattern(session: Session, tmp_path: Path, ignore: str) -> None:
    """It is rejected before a request is sent."""
    with pytest.raises(ValueError, match="ignore"):
        session.files.upload(tmp_path, "up", ignore=[ignore])


def test_links_in_the_target_are_not_followed(session: Session, tmp_path: Path) -> None:
    """With ``delete``, a link in the target is replaced in place of a file or a folder, never followed."""
    outside = fill(tmp_path / "outside", {"kept": "kept", "file": "kept too"})
    target = fill(tmp_path / "target", {})
    (target / "folder").symlink_to(outside)
    (target / "file").symlink_to(outside / "file")
    (target / "dangling").symlink_to(tmp_path / "new")
    for name in ("folder/kept", "file", "dangling"):
        session.files.write(f"up/{name}", "from the session")
    with pytest.raises(FileExistsError):
        session.files.download("up", target)
    session.files.download("up", target, delete=True)
    assert {"kept": b"kept", "file": b"kept too"} == content_of(outside)
    assert not (tmp_path / "new").exists()
    assert b"from the session" == content_of(target)["folder/kept"]
    assert b"from the session" == content_of(target)["dangling"]


def test_an_ignored_link_is_not_followed(session: Session, tmp_path: Path) -> None:
    """An ignored path is not traversed."""
    outside = fill(tmp_path / "outside", {})
    target = fill(tmp_path / "target", {})
    (target / "folder").symlink_to(outside)
    session.files.write("up/folder/x", "x")
    session.files.download("up", target, ignore="folder", delete=True)
    with pytest.raises(FileExistsError):
        session.files.download("up", target)
    assert ["folder"] == list(content_of(target))
    assert {} == content_of(outside)


def test_a_download_does_not_empty_the_current_folder(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders above the current folder and the home folder are protected too."""
    work = fill(tmp_path / "work", {"mine.txt": "mine", "below": None})
    session.files.write("up/a.txt", "a")
    monkeypatch.chdir(work / "below")
    with pytest.raises(ValueError, match=r"current folder.*delete=True"):
        session.files.download("up", work, delete=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(work))
    with pytest.raises(ValueError, match="home folder"):
        session.files.download("up", work, delete=True)
    assert {"mine.txt": b"mine", "below": None} == content_of(work)
    session.files.download("up", work)
    assert {"a.txt", "below", "mine.txt"} == set(content_of(work))


def _entry(path: str, kind: str = "file", **changes: Any) -> dict[str, Any]:
    return {"path": path, "size": 4, "modified": 0, "type": kind, "sha256": None, **changes}


def _service(*entries: Any, contents: Any = None, **changes: Any) -> Session:
    """Return a session of a service that lists these files, each with the content ``evil``."""

    def respond(request: Request) -> Response:
        code = json.loads(request.content)["code"]
        page: dict[str, Any] = {"root": _entry("", "directory"), "entries": entries, "next": None, **changes}
        if '"op": "file_pack"' in code:
            evil = base64.b64encode(b"evil").decode()
            count = len(json.loads(code.partition("\n")[0].partition("helper ")[2])["items"])
            page = {"contents": [evil] * count if contents is None else contents}
        return responses.as_json(responses.result(stdout=json.dumps(page)))

    return Buntime(transport=FunctionTransport(respond)).sessions.attach("ses_1")


@in_one_test(
    "path",
    ["../evil", "a/../../evil", "/tmp/evil", "..", ".", "", "a//b", "a/./b", "nul\0", "a/", "../target/evil"],
)
def test_an_escaping_name_is_an_error(tmp_path: Path, path: str) -> None:
    """For any escaping name of the service, nothing is written, not even valid files."""
    with pytest.raises(InvalidResponseError, match="lists a file"):
        _service(_entry("fine.txt"), _entry(path)).files.download("up", tmp_path / "target")
    assert {} == content_of(tmp_path)


@in_one_test(
    "entries",
    [
        [_entry("a"), _entry("a/b")],
        [{"path": "a"}],
        [7],
        None,
        [_entry("a", size="4")],
        [_entry("a", modified=1e300)],
        [_entry("a", modified="now")],
        [_entry("a", link=1)],
        [_entry(7)],  # type: ignore[arg-type] # not an object
    ],
)
def test_an_invalid_list(tmp_path: Path, entries: Any) -> None:
    """It is an error before anything is written."""
    with pytest.raises(InvalidResponseError):
        _service(*(entries or ()), **({} if entries else {"entries": None})).files.download(
            "up", tmp_path / "target"
        )
    assert {} == content_of(tmp_path)


@in_one_test("contents", [[], ["", ""], [7], ["no base64!"], "text"])
def test_invalid_contents(tmp_path: Path, contents: Any) -> None:
    """No file is written."""
    with pytest.raises(InvalidResponseError):
        _service(_entry("a"), contents=contents).files.download("up", tmp_path / "target")
    assert {} == content_of(tmp_path / "target")


@pytest.mark.parametrize("entry", [_entry("x", "other"), _entry("x", "directory", link=True)])
def test_a_special_file_of_the_session(tmp_path: Path, entry: dict[str, Any]) -> None:
    """It is an error with its name; the user may ignore it."""
    with pytest.raises(InvalidRequestError, match=r"'x'.*ignore="):
        _service(entry).files.download("up", tmp_path / "target")


def test_a_page_that_never_ends(tmp_path: Path) -> None:
    """A service that repeats a page is not queried forever."""
    _service(_entry("a"), next="a").files.download("up", tmp_path / "target")
    assert {"a": b"evil"} == content_of(tmp_path / "target")
