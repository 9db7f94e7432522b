"""Objects, agents and mounts of the model: bounds, installed packages, keys of the server."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Union
from urllib.parse import parse_qsl, urlsplit

import pytest
from waitress.adjustments import Adjustments

from buntime._http import Secret
from buntime.errors import APIConnectionError
from buntime.service.devboxes import mounts as bounds
from buntime.service.errors import ServiceError
from buntime.service.presigned import LARGEST_OBJECT
from buntime.service.server.access import AccessControl
from buntime.service.server.connections import channel_class
from buntime.transport import Body, FakeTransport, LocalTransport, Request, Transport
from tests.runloop.wire import KEY, Wire
from tests.support.loopback import Exchange, LoopbackServer, reply


@pytest.fixture
def fake() -> Iterator[Wire]:
    """Send requests to a fake."""
    with closing(FakeTransport()) as transport:
        yield Wire(transport)


def _send(
    transport: Transport, method: str, url: str, body: Union[bytes, Body, None] = None
) -> tuple[int, bytes]:
    parts = urlsplit(url)
    response = transport.send(
        Request(
            method,
            parts.path,
            tuple(parse_qsl(parts.query)),
            body=body,
            origin=f"{parts.scheme}://{parts.netloc}",
        )
    )
    return response.status, response.read()


def upload(wire: Wire, content: bytes, content_type: str = "binary") -> str:
    """Return the id of a new object."""
    stored = wire.post("/objects", name="n", content_type=content_type)
    assert (200, b"") == _send(wire.transport, "PUT", stored["upload_url"], content)
    wire.post(f"/objects/{stored['id']}/complete")
    return str(stored["id"])


def archive(files: Mapping[str, bytes], comment: str = "") -> bytes:
    """Return a tar with these files."""
    content = io.BytesIO()
    headers = {"comment": comment} if comment else {}
    with tarfile.open(fileobj=content, mode="w", pax_headers=headers) as file:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))
    return content.getvalue()


def test_wrong_requests(fake: Wire) -> None:
    """Wrong types, sources and mounts are a 400 that names the field; unknown ids a 404."""
    stored = fake.post("/objects", name="n", content_type="text")
    agent = fake.post("/agents", name="a")["id"]
    cases: tuple[tuple[str, dict[str, Any], int, str], ...] = (
        ("/objects", {"name": "n", "content_type": "zip"}, 400, "content_type must be one of"),
        ("/objects", {"name": "n", "content_type": "text", "ttl_ms": 0}, 400, "ttl_ms must be"),
        ("/agents", {"name": "a", "source": {"type": "svn"}}, 400, "source.type must be one of"),
        ("/agents", {"name": "a", "source": {"type": "git", "git": []}}, 400, "source.git must be an object"),
        ("/agents", {"name": "a", "source": {"type": "git"}}, 400, "source.git.repository is required"),
        ("/agents", {"name": "a", "source": {"type": "object", "object": {"object_id": "o"}}}, 404, "o does"),
        (
            "/agents",
            {"name": "a", "source": {"type": "npm", "npm": {"package_name": "p", "agent_setup": [1]}}},
            400,
            "source.npm.agent_setup must be an array of strings",
        ),
        ("/secrets", {"name": "", "value": "v"}, 400, "needs a name"),
        ("/secrets", {"name": "n"}, 400, "value is required"),
        ("/blueprints", {"name": "b", "build_context": {"object_id": stored["id"]}}, 400, "is UPLOADING"),
        *(
            ("/devboxes", {"mounts": [mount]}, status, message)
            for mount, status, message in (
                ({"type": "object_mount", "object_id": stored["id"], "object_path": "p"}, 400, "UPLOADING"),
                ({"type": "object_mount", "object_id": "obj_none", "object_path": "p"}, 404, "not exist"),
                ({"type": "agent_mount"}, 400, "or agent_name is required"),
                ({"type": "agent_mount", "agent_name": "none"}, 404, "Agent none"),
                ({"type": "agent_mount", "agent_id": agent}, 400, "has no source"),
                ({"type": "broker_mount"}, 400, "'broker_mount'"),
                ("text", 400, "mounts[0] must be an object"),
            )
        ),
    )
    for path, body, status, message in cases:
        refused = fake.refused(path, **body)
        assert status == refused[0], (path, body, refused)
        assert message in refused[1]


def test_repeated_creations_make_one_object(fake: Wire) -> None:
    """A creation with the same ``x-request-id`` returns the same object, agent and secret."""
    for path, body in (
        ("/objects", {"name": "n", "content_type": "text"}),
        ("/agents", {"name": "n"}),
        ("/secrets", {"name": "n", "value": "v"}),
    ):
        ids = {
            json.loads(fake.send("POST", path, body, headers={"x-request-id": "r"}).read())["id"]
            for _ in range(2)
        }
        assert 1 == len(ids)
        assert 1 == fake.get(path)["total_count"]


def test_bounds_of_archives(fake: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """An archive, each of its files, and a file in gzip are unpacked up to a bound."""
    monkeypatch.setattr(bounds, "MOST_BYTES", 100)
    monkeypatch.setattr(bounds, "_MOST_UNPACKED", 40000)
    monkeypatch.setattr(bounds, "_MOST_MEMBERS", 3)
    for content, content_type, message in (
        (archive({"a": b"x" * 101}), "tar", "files of at most 100 bytes"),
        (archive({str(number): b"x" for number in range(9)}), "tar", "3 files at most"),
        (gzip.compress(archive({"a": b"x" * 50000})), "tgz", "40000 bytes"),
        (gzip.compress(archive({"a": b"x"}, "x" * 100000)), "tgz", "40000 bytes"),
        (gzip.compress(b"x" * 101), "gzip", "files of at most 100 bytes"),
        (b"x" * 101, "binary", "files of at most 100 bytes"),
    ):
        mount = {"type": "object_mount", "object_id": upload(fake, content, content_type), "object_path": "p"}
        status, text = fake.refused("/devboxes", mounts=[mount])
        assert (400, True) == (status, message in text), text
    for content, content_type in ((gzip.compress(b"text"), "gzip"), (b"text", "binary")):
        mount = {"type": "object_mount", "object_id": upload(fake, content, content_type), "object_path": "p"}
        response = fake.send("POST", f"{fake.create(mounts=[mount])}/read_file_contents", {"file_path": "p"})
        assert b"text" == response.read()


def test_presigned_urls_need_no_key(fake: Wire) -> None:
    """A server accepts a presigned URL without its key, and no other request to the storage."""
    access = AccessControl(Secret(KEY))
    parts = urlsplit(fake.post("/objects", name="n", content_type="text")["upload_url"])
    access.check("PUT", {"CONTENT_LENGTH": str(2**30)}, parts.path, parts.query)
    for method, path, query in (
        ("GET", parts.path, parts.query),
        ("PUT", "/v1/devboxes", parts.query),
        ("PUT", parts.path, parts.query.replace("expires=", "expires=9")),
        ("PUT", parts.path, ""),
    ):
        with pytest.raises(ServiceError, match="API key is missing or wrong"):
            access.check(method, {}, path, query)


def test_uploads_that_are_refused(fake: Wire) -> None:
    """A content above the bound is a 400; one for an object that is complete is a 403."""
    stored = fake.post("/objects", name="n", content_type="text")
    url = stored["upload_url"]
    large = Body(lambda: io.BytesIO(b""), LARGEST_OBJECT + 1)
    assert 400 == _send(fake.transport, "PUT", url, large)[0]
    assert 200 == _send(fake.transport, "PUT", url, b"x")[0]
    fake.post(f"/objects/{stored['id']}/complete")
    assert 403 == _send(fake.transport, "PUT", url, b"y")[0]


def test_urls_of_a_server(fake: Wire) -> None:
    """A URL leads to the host that the request names, by the scheme of a proxy; elsewhere nothing is sent."""
    headers = {"Host": "box.example:8000", "X-Forwarded-Proto": "https"}
    body = {"name": "n", "content_type": "text"}
    url = json.loads(fake.send("POST", "/objects", body, headers=headers).read())["upload_url"]
    assert url.startswith("https://box.example:8000/v1/storage/obj_")
    with pytest.raises(APIConnectionError, match="does not reach https://box"):
        _send(fake.transport, "PUT", url, b"x")


def test_larger_than_any_other_body() -> None:
    """A presigned URL takes bodies above the limit of other requests, from a file."""
    parser: Any = channel_class(AccessControl()).parser_class(Adjustments(max_request_body_size=100))
    with closing(FakeTransport()) as transport:
        parts = urlsplit(Wire(transport).post("/objects", name="n", content_type="text")["upload_url"])
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    parser.received(head.encode())
    parser.received(b"x" * 1000)
    assert (True, None) == (parser.completed, parser.error)
    other: Any = channel_class(AccessControl()).parser_class(Adjustments(max_request_body_size=100))
    other.received(head.replace("signature=", "signature=0").encode())
    assert 413 == other.error.code


def test_install_commands() -> None:
    """On the fake, the installations are commands that a script answers, or a line in the log."""
    fake = FakeTransport()
    fake.on_execute(command="BUN_INSTALL=~/.local bun add --global @a/b@1.0.0")
    pip = "PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --user --index-url=https://r.invalid b==2"
    fake.on_execute(command=pip)
    checkout = 'git -C "$TMPDIR"/x checkout main --'
    fake.on_execute(command=f"git clone -- 'https://g.invalid/a b.git' \"$TMPDIR\"/x && {checkout}")
    fake.on_execute(command='cd "$TMPDIR"/x || exit\ntrue')
    with closing(fake):
        wire = Wire(fake)
        ids = [
            wire.post("/agents", name="n", version=version, source={"type": kind, kind: source})["id"]
            for kind, version, source in (
                ("npm", "1.0.0", {"package_name": "@a/b", "agent_setup": ["unscripted"]}),
                ("pip", "2", {"package_name": "b", "registry_url": "https://r.invalid"}),
                (
                    "git",
                    None,
                    {"repository": "https://g.invalid/a b.git", "ref": "main", "agent_setup": ["true"]},
                ),
            )
        ]
        mount = {"type": "agent_mount", "agent_path": "/tmp/x", "auth_token": "hidden"}
        devbox = wire.create(mounts=[{**mount, "agent_id": each} for each in ids])
        logs = json.dumps(wire.get(f"{devbox}/logs"))
        fake.assert_all_scripts_used()
    assert "'unscripted' was not run" in logs
    assert "sends no token" in logs
    assert "hidden" not in logs


def _registry(tarball: bytes) -> Callable[[Exchange], None]:
    """Return a handler that is a registry of npm with one package."""

    def handle(exchange: Exchange) -> None:
        host = exchange.request.headers["Host"]
        version = {
            "name": "greeter",
            "version": "1.0.0",
            "bin": {"greeter": "cli.sh"},
            "dist": {"tarball": f"http://{host}/greeter.tgz", "shasum": hashlib.sha1(tarball).hexdigest()},
        }
        package = {"name": "greeter", "versions": {"1.0.0": version}, "dist-tags": {"latest": "1.0.0"}}
        content = tarball if exchange.request.target.endswith(".tgz") else json.dumps(package).encode()
        reply(200, content, [("Content-Type", "application/json")])(exchange)

    return handle


@pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")
def test_installed_agents(tmp_path: Path) -> None:
    """With a network, packages are installed on ``PATH``, and repositories are cloned."""
    manifest = json.dumps({"name": "greeter", "version": "1.0.0", "bin": {"greeter": "cli.sh"}}).encode()
    script = b"#!/bin/sh\necho Hello, $1\n"
    package = gzip.compress(archive({"package/package.json": manifest, "package/cli.sh": script}))
    repository = _repository(tmp_path)
    with LoopbackServer(_registry(package)) as registry, closing(LocalTransport(network=True)) as transport:
        wire = Wire(transport)
        npm = {"package_name": "greeter", "registry_url": registry.url}
        git = {"repository": "/tmp/repository", "ref": "v1", "agent_setup": ["cat a.txt > ../copy.txt"]}
        for name, source in (
            ("npm-agent", {"type": "npm", "npm": npm}),
            ("git-agent", {"type": "git", "git": git}),
        ):
            wire.post("/agents", name=name, version="1.0.0", source=source)
        mounts = [
            {"type": "object_mount", "object_id": upload(wire, repository, "tar"), "object_path": "/tmp"},
            {"type": "agent_mount", "agent_name": "npm-agent"},
            {"type": "agent_mount", "agent_name": "git-agent", "agent_path": "/home/user/cloned"},
        ]
        devbox = wire.create(mounts=mounts)
        assert "Hello, Ada\nfirst\n" == wire.execute(devbox, "greeter Ada; cat copy.txt")["stdout"]


def _repository(folder: Path) -> bytes:
    """Return a tar of a repository whose tag ``v1`` is not its newest commit."""
    path, git = folder / "repository", ["git", "-c", "user.name=n", "-c", "user.email=e"]
    path.mkdir()
    for content, commands in (("first\n", [["init", "-q"], ["add", "."]]), ("second\n", [])):
        (path / "a.txt").write_text(content)
        for command in (*commands, ["commit", "-qam", "m"], *([["tag", "v1"]] if commands else [])):
            subprocess.run([*git, *command], cwd=path, check=True, env={**os.environ, "HOME": str(folder)})
    files = {str(each.relative_to(folder)): each.read_bytes() for each in path.rglob("*") if each.is_file()}
    return archive({name: content for name, content in files.items() if "/hooks/" not in name})
