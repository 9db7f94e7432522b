"""Uploads and downloads: what is sent to presigned URLs, faults, archives of folders."""

from __future__ import annotations

import io
import os
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import Any, Optional

import pytest

from buntime.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    ConflictError,
    InvalidResponseError,
    PermissionDeniedError,
)
from buntime.runloop import RunloopSDK
from buntime.runloop.transfer import folder_archive
from buntime.transport import HTTPTransport, Request, Response
from tests.runloop.client.stub import Stub, as_json
from tests.support.cases import in_one_test
from tests.support.loopback import LoopbackServer, json_reply

URL = "https://storage.example/bucket/obj%2F1?X-Amz-Credential=a%2Fb&X-Amz-Signature=s%20t"


class Storage:
    """Responds to presigned URLs as planned, and stores what is sent there."""

    def __init__(self, *planned: Any) -> None:
        self.planned = list(planned)
        self.requests: list[Request] = []
        self.contents: list[bytes] = []

    def __call__(self, request: Request) -> Optional[Response]:
        if request.origin is None:
            if request.path == "/v1/objects":
                headers = {"x-amz-acl": "private"}
                return as_json({"id": "obj_1", "upload_url": URL, "upload_headers": headers})
            return as_json({"download_url": URL}) if request.path.endswith("/download") else None
        self.requests.append(request)
        self.contents.append(request.content)
        planned = self.planned.pop(0) if self.planned else Response(200, {}, [b"content"])
        if isinstance(planned, Exception):
            raise planned
        return planned if isinstance(planned, Response) else Response(planned, {}, [b"<Error>no</Error>"])


class StorageStub(Stub):
    """A service whose storage is at another origin."""

    def send(self, request: Request, /) -> Response:
        """Send to the service, or to its storage."""
        if request.origin is not None and self.respond is not None:
            response = self.respond(request)
            assert response is not None
            return response
        return super().send(request)


def _stub(storage: Storage) -> StorageStub:
    return StorageStub(respond=storage)


def test_three_steps() -> None:
    """The content goes to the origin, path and query of the URL, with the service's headers only."""
    storage = Storage()
    stub = _stub(storage)
    with stub.client(default_headers={"X-Team": "a", "Cookie": "c"}) as runloop:
        stored = runloop.storage_object.upload_from_text(
            "é", name="n", ttl=timedelta(seconds=1.5), metadata={"a": "b"}, extra_headers={"X-Call": "1"}
        )
        assert "obj_1" == stored.id
        assert b"content" == stored.download_as_bytes(duration_seconds=5)
    put, get = storage.requests
    assert ("PUT", "https://storage.example", "/bucket/obj%2F1") == (put.method, put.origin, put.path)
    assert (("X-Amz-Credential", "a/b"), ("X-Amz-Signature", "s t")) == put.query == get.query
    assert (("Accept", "*/*"), ("x-amz-acl", "private")) == put.headers
    assert (("Accept", "*/*"),) == get.headers
    assert "é".encode() == storage.contents[0]
    assert ["objects.create", "objects.complete", "objects.download"] == stub.acted
    assert b'"ttl_ms":1500' in stub.requests[0].content


def test_content_is_sent_again() -> None:
    """A lost connection and a 503 of the storage are repeated, from the start of the content."""
    storage = Storage(APIConnectionError("lost", phase="read"), 503)
    with _stub(storage).client() as runloop:
        runloop.storage_object.upload_from_bytes(b"abc", name="n", content_type="binary")
    assert [b"abc"] * 3 == storage.contents


def test_failed_upload_leaves_no_object() -> None:
    """If the content cannot be sent, the object is deleted; the error explains presigned URLs."""
    storage = Storage(403)
    stub = _stub(storage)
    with stub.client() as runloop, pytest.raises(PermissionDeniedError, match="get a new one") as caught:
        runloop.storage_object.upload_from_text("x", name="n")
    assert ["objects.create", "objects.delete"] == stub.acted
    assert "Signature" not in str(caught.value)


def test_failed_deletion_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """If the object cannot be deleted either, the log has its id, and the first error is raised."""
    storage = Storage(403)
    stub = _stub(storage)
    stub.faults = ["", 409]
    with stub.client() as runloop, pytest.raises(PermissionDeniedError):
        runloop.storage_object.upload_from_text("x", name="n")
    assert "the object obj_1 was not deleted" in caplog.text


def test_complete_is_settled() -> None:
    """If the response to ``complete`` is lost, a 409 to its repetition is settled by the state."""
    storage = Storage()
    stub = _stub(storage)
    stub.faults = ["", "after", 409]
    with stub.client() as runloop:
        runloop.storage_object.upload_from_text("x", name="n")
    assert ["objects.create", "objects.complete", "objects.retrieve"] == stub.acted
    stub.faults = ["", 409]
    with stub.client() as runloop, pytest.raises(ConflictError):
        runloop.storage_object.upload_from_text("x", name="n")


def test_download_to(tmp_path: Path) -> None:
    """A download that ends early, or is refused, leaves the file as it was, and nothing beside it."""

    def cut() -> Any:
        yield b"begin"
        raise APIConnectionError("the body ended early", phase="read")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    storage = Storage(Response(200, {}, cut()), 404)
    with _stub(storage).client() as runloop:
        stored = runloop.storage_object.from_id("obj_1")
        for error in (APIConnectionError, APIStatusError):
            with pytest.raises(error):
                stored.download_to(path)
            assert [b"old"] == [each.read_bytes() for each in tmp_path.iterdir()]
        stored.download_to(path)
    assert [b"content"] == [each.read_bytes() for each in tmp_path.iterdir()]


def test_arguments() -> None:
    """Wrong arguments are errors before anything is sent."""
    stub = _stub(Storage())
    with stub.client() as runloop:
        uploads: Any = runloop.storage_object
        with pytest.raises(TypeError, match="no argument 'metdata'; use metadata"):
            uploads.upload_from_text("x", name="n", metdata={})
        with pytest.raises(TypeError, match="ttl must be a timedelta, not int"):
            uploads.upload_from_text("x", name="n", ttl=5)
        with pytest.raises(FileNotFoundError):
            uploads.upload_from_file("/none")
        with pytest.raises(ValueError, match="must be a folder"):
            uploads.upload_from_dir("/none")
        agents: Any = runloop.agent
        with pytest.raises(TypeError, match="no argument 'agent_setups'; use agent_setup"):
            agents.create_from_object(name="n", object_id="o", agent_setups=[])
        with pytest.raises(AttributeError, match="no attribute 'nothing'"):
            _ = runloop.api.nothing
        with pytest.raises(ValueError, match="makes the source"):
            runloop.agent.create_from_npm(name="n", package_name="p", source={})
    assert [] == stub.requests


@in_one_test("url", ["", "ftp://x/y", "/path", "https:///x"])
def test_urls_that_are_not_usable(url: str) -> None:
    """A URL of the service that is not one of HTTP is not requested."""
    stub = Stub(as_json({"download_url": url}))
    with stub.client() as runloop, pytest.raises(InvalidResponseError, match="presigned URL"):
        runloop.storage_object.from_id("obj_1").download_as_bytes()


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.TXT", "text"),
        ("a.csv", "text"),
        ("a.gz", "gzip"),
        ("a.tar", "tar"),
        ("a.tar.gz", "tgz"),
        ("a.tgz", "tgz"),
        ("a.bin", "unspecified"),
        ("csv", "unspecified"),
    ],
)
def test_content_type_by_suffix(tmp_path: Path, name: str, content_type: str) -> None:
    """The suffix of a file decides the type."""
    (tmp_path / name).touch()
    stub = _stub(Storage())
    with stub.client() as runloop:
        runloop.storage_object.upload_from_file(tmp_path / name)
    assert f'"content_type":"{content_type}"'.encode() in stub.requests[0].content


def test_nothing_of_the_client_goes_to_the_storage() -> None:
    """Over HTTP, the storage gets no key, header or cookie, and a redirect of it is not followed."""
    redirect = json_reply({}, status=302, headers=[("Location", "/elsewhere")])
    with LoopbackServer(json_reply({"stored": True})) as storage, LoopbackServer(redirect) as moved:
        body = {"id": "obj_1", "upload_url": f"{storage.url}/put?s=1", "download_url": f"{moved.url}/get"}
        reply = json_reply(body, headers=[("Set-Cookie", "session=1")])
        with LoopbackServer(reply) as service, _client(service.url) as runloop:
            stored = runloop.storage_object.upload_from_bytes(b"", name="n", content_type="binary")
            with pytest.raises(APIError, match="302"):
                stored.download_as_bytes()
        requests = [*storage.requests, *moved.requests]
    assert ["/put?s=1", "/get"] == [request.target for request in requests]
    for request in requests:
        names = {name.lower() for name in request.headers}
        assert not names & {"authorization", "cookie", "x-team", "x-request-id"}
    assert "0" == requests[0].headers["Content-Length"]


def _client(url: str) -> RunloopSDK:
    return RunloopSDK(
        bearer_token="rk_key", transport=HTTPTransport(url), default_headers={"X-Team": "a"}, max_retries=0
    )


def _names(file: Any) -> list[tuple[str, int, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(file.read())) as archive:
        return [(member.name, member.mode, member.type) for member in archive]


def test_archives_are_stable(tmp_path: Path) -> None:
    """The same files are the same bytes, whatever their order, owner, date and other permissions."""
    archives = []
    for number in (1, 2):
        folder = tmp_path / str(number)
        (folder / "sub").mkdir(parents=True)
        names = ["a.txt", "sub/run"]
        for name in names if number == 1 else reversed(names):
            (folder / name).write_text(name)
            os.utime(folder / name, (number, number))
        (folder / "sub" / "run").chmod(0o700 if number == 1 else 0o755)
        (folder / "sub" / "link").symlink_to("../a.txt")
        if number == 1:
            os.link(folder / "a.txt", folder / "twice")
        else:
            (folder / "twice").write_text("a.txt")
        with folder_archive(folder) as file:
            archives.append(file.read())
    assert archives[0] == archives[1]
    names_and_modes = {name: (mode, kind) for name, mode, kind in _names(io.BytesIO(archives[0]))}
    assert (0o755, tarfile.REGTYPE) == names_and_modes["./sub/run"]
    assert (0o644, tarfile.REGTYPE) == names_and_modes["./twice"]
    assert tarfile.SYMTYPE == names_and_modes["./sub/link"][1]


def test_archives_of_what_is_not_a_file(tmp_path: Path) -> None:
    """A link that leads out, and a pipe, are errors, unless the filter leaves them out."""
    (tmp_path / "out").symlink_to("/etc")
    with pytest.raises(ValueError, match="out leads out of the folder"), folder_archive(tmp_path):
        pass
    (tmp_path / "out").unlink()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is a device or a pipe"), folder_archive(tmp_path):
        pass
    with folder_archive(tmp_path, lambda member: None if "pipe" in member.name else member) as file:
        assert ["."] == [name for name, _, _ in _names(file)]
