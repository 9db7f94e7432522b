"""Objects, agents, secrets and mounts on every transport."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional
from urllib.parse import parse_qsl, urlsplit

import pytest

from buntime.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
)
from buntime.runloop import RunloopSDK
from buntime.transport import FakeTransport, Request, Transport

BINARY = bytes(range(256)) * 300
SCRIPT = "#!/bin/sh\necho ran $1\n"


def _request(method: str, url: str, body: Optional[bytes] = None) -> Request:
    parts = urlsplit(url)
    query = tuple(parse_qsl(parts.query))
    return Request(method, parts.path, query, body=body, origin=f"{parts.scheme}://{parts.netloc}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a program and a data file."""
    folder = tmp_path / "project"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "run.sh").write_text(SCRIPT)
    (folder / "bin" / "run.sh").chmod(0o755)
    (folder / "data.txt").write_text("data é")
    return folder


def test_objects_in_every_form(runloop: RunloopSDK, tmp_path: Path) -> None:
    """Text, bytes and files are uploaded, found, read in three forms, and deleted."""
    path = tmp_path / "Notes.MD"
    path.write_bytes(BINARY)
    uploads = runloop.storage_object
    text = uploads.upload_from_text("héllo", name="t.txt", metadata={"m": "1"}, ttl=timedelta(minutes=1))
    data = uploads.upload_from_bytes(b"\0\1", name="b", content_type="binary", ttl_ms=60000)
    file = uploads.upload_from_file(path)
    empty = uploads.upload_from_bytes(b"", name="empty", content_type="unspecified")
    view = text.refresh()
    assert ("text", "READ_ONLY", 6, {"m": "1"}) == (
        view.content_type,
        view.state,
        view.size_bytes,
        view.metadata,
    )
    assert view.delete_after_time_ms == (view.create_time_ms or 0) + 60000
    assert ("Notes.MD", "text", len(BINARY)) == tuple(
        getattr(file.get_info(), name) for name in ("name", "content_type", "size_bytes")
    )
    assert ("héllo", b"\0\1", b"") == (
        text.download_as_text(),
        data.download_as_bytes(),
        empty.download_as_bytes(),
    )
    file.download_to(tmp_path / "back", duration_seconds=60)
    assert BINARY == (tmp_path / "back").read_bytes()
    assert {"Notes.MD", "back"} == {each.name for each in tmp_path.iterdir()}
    assert [file.id, data.id, text.id] == [
        each.id for each in runloop.storage_object.list(limit=2) if each.id != empty.id
    ][:3]
    assert [text.id] == [each.id for each in uploads.list(name=".tx", content_type="text")]
    assert [data.id] == [each.id for each in uploads.list(search=data.id)]
    assert "DELETED" == uploads.from_id(data.id).delete().state
    assert data.id not in [each.id for each in uploads.list()]
    assert [] == list(runloop.api.objects.list_public())
    with pytest.raises(InvalidRequestError, match="DELETED"):
        data.download_as_bytes()
    with pytest.raises(NotFoundError):
        uploads.from_id("obj_none").get_info()
    for each in (text, file, empty):
        each.delete()


def test_three_steps(runloop: RunloopSDK) -> None:
    """An object is created, sent and completed in three calls, each of which checks its state."""
    stored = runloop.storage_object.create(name="n", content_type="binary")
    assert stored.upload_url is not None
    with pytest.raises(InvalidRequestError, match="Nothing was sent"):
        stored.complete()
    stored.upload_content(iter([b"ab", b"cd"]))
    stored.upload_content("ef")  # the last one counts
    view = stored.complete()
    assert ("READ_ONLY", 2) == (view.state, view.size_bytes)
    assert not stored.upload_url
    assert {"type": "object", "object_id": stored.id} == stored.as_build_context()
    with pytest.raises(RuntimeError, match="has no upload_url"):
        stored.upload_content(b"")
    assert stored.get_download_url().download_url.startswith("http")
    with pytest.raises(ConflictError):
        runloop.api.objects.complete(stored.id)
    blueprint = runloop.blueprint.create(name="b", build_context=stored.as_build_context())
    assert any("build_context" in (row.message or "") for row in blueprint.logs().logs)
    stored.delete()


def test_mounts(runloop: RunloopSDK, transport: Transport, folder: Path) -> None:
    """A devbox has the files, archives and agents of its mounts, and the values of its secrets."""
    archive = runloop.storage_object.upload_from_dir(folder)
    text = runloop.storage_object.upload_from_text("text", name="t")
    setup = ["bin/run.sh setup > setup.txt"]
    if isinstance(transport, FakeTransport):
        command = f"cd ~/'my agent' || exit\n{setup[0]}"
        transport.on_execute(command=command, files={"my agent/setup.txt": "ran setup\n"})
    agent = runloop.agent.create_from_object(
        name="agent", version="1", object_id=archive.id, agent_setup=setup
    )
    secret = runloop.secret.create("TOKEN", "first")
    assert "TOKEN" == secret.update("good morning").name
    mounts = [
        {"type": "object_mount", "object_id": archive.id, "object_path": "/home/user/project"},
        {"type": "object_mount", "object_id": text.id, "object_path": "/tmp/t.txt"},
        {"type": "file_mount", "target": "project/data.txt", "content": "over"},
        {"type": "agent_mount", "agent_id": None, "agent_name": "agent", "agent_path": "~/my agent"},
    ]
    with runloop.devbox.create(
        mounts=mounts, file_mounts={"f.txt": "file"}, secrets={"GREETING": "TOKEN"}
    ) as devbox:
        contents = {
            path: devbox.file.read(file_path=path)
            for path in ("project/data.txt", "/tmp/t.txt", "f.txt", "my agent/setup.txt")
        }
        assert ["over", "text", "file", "ran setup\n"] == list(contents.values())
        assert SCRIPT == devbox.file.read(file_path="project/bin/run.sh")
        assert "good morning\n" == devbox.cmd.exec("echo $GREETING").stdout()
    assert "good morning" not in str([secret.get_info(), *runloop.api.secrets.list().secrets])
    secret.delete()
    assert "1" == agent.get_info().version
    agent.delete()


def test_agents(runloop: RunloopSDK, transport: Transport) -> None:
    """Agents of each source are created, found and deleted; without a network, packages are not installed."""
    agents = runloop.agent
    npm = agents.create_from_npm(name="npm", package_name="@a/b", version="1.0.0", agent_setup=["true"])
    pip = agents.create_from_pip(name="pip", package_name="b", registry_url="https://r.invalid", version="2")
    git = agents.create_from_git(name="git", repository="https://g.invalid/r.git", ref="main")
    assert {"type": "git", "git": {"repository": "https://g.invalid/r.git", "ref": "main"}} == (
        git.get_info().source
    )
    newer = agents.create(name="npm", version="1.1.0", source=npm.get_info().source)
    assert [newer.id, npm.id] == [each.id for each in agents.list(name="np", is_public=False)]
    assert [newer.id] == [each.id for each in agents.list(name="npm", version="latest")]
    assert [pip.id] == [each.id for each in agents.list(search=pip.id, version="2")]
    assert [] == list(agents.list_public())
    if not isinstance(transport, FakeTransport):
        with pytest.raises(ServerError, match="network=True") as caught:
            runloop.devbox.create(mounts=[{"type": "agent_mount", "agent_id": npm.id, "agent_name": None}])
        assert 501 == caught.value.status
    for each in (npm, pip, git, newer):
        agents.from_id(each.id).delete()
    with pytest.raises(NotFoundError):
        npm.get_info()


def test_secrets(runloop: RunloopSDK) -> None:
    """Secrets are addressed by their names; one name has one secret."""
    secrets = runloop.secret
    secret = secrets.create("NAME", "value")
    with pytest.raises(InvalidRequestError, match="NAME already"):
        secrets.create("NAME", "other")
    assert "NAME" == secrets.from_name("NAME").get_info().name
    assert ["NAME"] == [each.name for each in secrets.list()]
    assert secret is secrets.update(secret, "next")
    assert "NAME" == secrets.update("NAME", "last").id
    with pytest.raises(InvalidRequestError, match="no secret OTHER"):
        runloop.devbox.create(secrets={"A": "OTHER"})
    assert "NAME" == secrets.delete("NAME").name
    with pytest.raises(NotFoundError):
        secrets.delete(secret)


def _archive(make: Callable[[tarfile.TarFile], object]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        make(archive)
    return file.getvalue()


def _member(name: str, **fields: Any) -> bytes:
    member = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(member, field, value)
    return _archive(lambda archive: archive.addfile(member))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_member("../out"), "leads out"),
        (_member("/etc/out"), "leads out"),
        (_member("a", type=tarfile.SYMTYPE, linkname="/etc"), "is a link or a device"),
        (_member("a", type=tarfile.LNKTYPE, linkname="b"), "is a link or a device"),
        (_member("a", type=tarfile.CHRTYPE), "is a link or a device"),
        (b"not an archive", "not a valid tgz"),
        (_member("a", size=0)[:-20], "not a valid tgz"),
    ],
    ids=["parent", "absolute", "link", "hard link", "device", "no archive", "cut"],
)
def test_archives_that_are_refused(content: bytes, message: str) -> None:
    """An archive that would leave its folder, or is broken, is a 400, and no devbox is left."""
    with RunloopSDK(transport=FakeTransport()) as runloop:
        stored = runloop.storage_object.upload_from_bytes(content, name="a", content_type="tgz")
        mount = {"type": "object_mount", "object_id": stored.id, "object_path": "a"}
        with pytest.raises(InvalidRequestError, match=message):
            runloop.devbox.create(mounts=[mount])
        assert [] == list(runloop.devbox.list())


def test_presigned_urls_expire() -> None:
    """A URL works until its time is over, for its method and object only; then so does the object."""
    fake = FakeTransport()
    with RunloopSDK(transport=fake) as runloop:
        stored = runloop.storage_object.upload_from_text("x", name="x", ttl_ms=100_000)
        url = stored.get_download_url(duration_seconds=50).download_url
        request = _request("GET", url)
        assert b"x" == fake.send(request).read()
        assert 403 == fake.send(_request("PUT", url, b"y")).status
        assert 403 == fake.send(_request("GET", url.replace(stored.id, "obj_other"))).status
        fake.advance(50)
        assert b"expired" in fake.send(request).read()
        fake.advance(50)
        assert "DELETED" == stored.get_info().state
        assert [stored.id] == [each.id for each in runloop.storage_object.list(state="DELETED")]
        new = runloop.storage_object.create(name="late", content_type="text")
        fake.advance(3600)
        with pytest.raises(PermissionDeniedError, match="get a new one"):
            new.upload_content("x")
