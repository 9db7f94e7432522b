"""The messages of Runloop in a cassette."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from buntime import Buntime
from buntime._support.archive import parse_zip, zip_bytes
from buntime._support.form import parse_form
from buntime.cassette.body import serialize_request
from buntime.cassette.dialect import Dialect, dialect_of
from buntime.cassette.file import Interaction, journal_line, load
from buntime.cassette.ids import Numbering
from buntime.runloop import RunloopSDK
from buntime.runloop.wire.dialect import DIALECT
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    RecordingTransport,
    ReplayTransport,
    Request,
    Response,
    Transport,
)
from tests.runloop.client.stub import Stub, as_json

EXECUTION = {"devbox_id": "dbx_aB3", "execution_id": "exc_cD4"}


def _record(path: Path, inner: Transport) -> str:
    """Return a cassette of a program as text."""
    transport = RecordingTransport(path, inner)
    with RunloopSDK(bearer_token="rk", transport=transport) as runloop:
        _program(runloop)
    return path.read_text(encoding="utf-8")


def _program(runloop: RunloopSDK) -> list[Any]:
    with runloop.devbox.create(name="box") as devbox:
        result = devbox.cmd.exec("make")
        execution = devbox.cmd.exec_async("serve").result()
        snapshot = devbox.snapshot_disk()
    blueprint = runloop.blueprint.create(name="base")
    return [devbox.id, result.stdout(), execution.stdout(), snapshot.id, blueprint.id]


def _slow(polls: int) -> Stub:
    """Return a service in which everything is ready after some polls."""
    waits: dict[str, int] = {}

    def respond(request: Request) -> Response:
        path, last = request.path, request.path.rpartition("/")[2]
        waits[path] = waits.get(path, 0) + 1
        is_ready = waits[path] > polls
        if last in {"wait_for_status", "execute"} and not is_ready:
            return as_json({"message": "not yet", "time_ms": waits[path]}, 408)
        if last in {"devboxes", "shutdown"} or path.endswith("dbx_aB3/wait_for_status"):
            return as_json({"id": "dbx_aB3", "status": "running" if last == "wait_for_status" else "queued"})
        if last == "execute_async":
            return as_json({**EXECUTION, "status": "running"})
        if "execut" in path:
            return as_json({**EXECUTION, "status": "completed", "exit_status": 0, "stdout": "done\n"})
        if last == "snapshot_disk_async":
            return as_json({"id": "snp_eF5"})
        if last == "status":
            return as_json({"status": "complete" if is_ready else "in_progress"})
        is_built = is_ready and request.method == "GET"
        return as_json({"id": "bpt_gH6", "status": "build_complete" if is_built else "building"})

    return Stub(respond=respond)


def test_the_dialect_has_every_member_of_the_protocol() -> None:
    """The cassette imports it by name, so that no type checker compares them there."""
    dialect: Dialect = DIALECT
    assert dialect is dialect_of("/v1/devboxes") is dialect_of("https://storage.example/a")
    assert dialect is not dialect_of("/execute")
    assert {"/v1/devboxes", "/v1/blueprints"} <= DIALECT.routes
    assert {"command", "launch_parameters", "exit_status", "devboxes"} <= DIALECT.fields


@pytest.mark.parametrize("polls", [1, 3])
def test_a_slower_day_gives_the_same_cassette(polls: int, tmp_path: Path) -> None:
    """Each wait is one interaction, and replay takes no time."""
    fast, slow = _record(tmp_path / "fast.json", _slow(0)), _record(tmp_path / "slow.json", _slow(polls))
    assert fast == slow
    replay = ReplayTransport(tmp_path / "slow.json")
    with RunloopSDK(transport=replay) as runloop:
        assert ["dbx_1", "done\n", "done\n", "snp_1", "bpt_1"] == _program(runloop)
    assert [] == replay.unplayed


def _requests(path: Path) -> list[dict[str, Any]]:
    return [dict(item.request) for item in load(path).interactions]


def test_what_the_client_makes_up_is_not_stored(tmp_path: Path) -> None:
    """``command_id``, names of shells and boundaries differ in each run."""
    path = tmp_path / "x.json"

    def program(transport: Transport) -> None:
        with RunloopSDK(bearer_token="rk", transport=transport) as runloop:
            devbox = runloop.devbox.from_id("dbx_1")
            devbox.shell().exec("true")
            devbox.logs(shell_name=devbox.shell().shell_name)
            devbox.file.upload(path="a.txt", file="one\n--x\r\ntwo")
            devbox.file.upload(path="a.bin", file=("é.bin", b"\xff\r\n\r\n--", "a/b", {"X-A": "1"}))

    program(RecordingTransport(path, Stub()))
    execute, logs, text, data = _requests(path)
    assert {"command": "true", "shell_name": "shell"} == execute["json"]
    assert [["shell_name", "shell"]] == logs["query"]
    file = {"filename": "upload", "type": "application/octet-stream", "text": "one\n--x\r\ntwo"}
    assert {"path": "a.txt", "file": file} == text["json"]
    file = {"filename": "é.bin", "type": "a/b", "headers": "X-A: 1", "base64": "/w0KDQotLQ=="}
    assert {"path": "a.bin", "file": file} == data["json"]
    replay = ReplayTransport(path)
    program(replay)
    assert [] == replay.unplayed


def test_secrets_have_placeholders(tmp_path: Path) -> None:
    """Values of secrets and variables, tokens of mounts and tunnels, keys, and what signs an upload."""
    path = tmp_path / "x.json"
    signature, url = "s" * 40, "https://bucket.s3.example/aZ9/obj_iJ7"

    def respond(request: Request) -> Response:
        last = request.path.rpartition("/")[2]
        if last == "objects":
            headers = {"x-amz-meta-a": "private-header", "Content-Type": "text/plain"}
            query = f"X-Amz-Expires=900&X-Amz-Signature={signature}"
            return as_json({"id": "obj_iJ7", "upload_url": f"{url}?{query}", "upload_headers": headers})
        if last == "enable_tunnel":
            return as_json({"tunnel_key": "tunnel-key", "auth_token": "tunnel-token"})
        if last == "create_ssh_key":
            return as_json({"id": "key_1", "ssh_private_key": "private-key"})
        if last == "devboxes":
            return as_json({"id": "dbx_aB3", "status": "running"})
        if request.origin:
            return Response(200, {}, [])
        command = json.loads(request.content or b"{}").get("command", "")
        stdout = f"{command} the-secret the-variable" if command else ""
        return as_json({**EXECUTION, "status": "completed", "stdout": stdout})

    def program(transport: Transport) -> str:
        with RunloopSDK(bearer_token="rk_of_tests", transport=transport) as runloop:
            runloop.api.post("/v1/secrets", body={"name": "A", "value": "the-secret"})
            mounts = [{"type": "agent_mount", "agent_id": "agt_1", "auth_token": "mount-token"}]
            variables = {"MY_TOKEN": "the-variable"}
            devbox = runloop.devbox.create(mounts=mounts, environment_variables=variables)
            devbox.net.enable_tunnel()
            devbox.net.create_ssh_key()
            created = runloop.api.post("/v1/objects", body={"name": "a.txt"})
            url = urlsplit(created["upload_url"])
            put = Request("PUT", url.path, ((url.query, ""),), (), b"content", origin=f"https://{url.netloc}")
            transport.send(put).read()
            return devbox.cmd.exec(f"curl {created['upload_url']}").stdout()

    program(RecordingTransport(path, FunctionTransport(respond)))
    text = path.read_text(encoding="utf-8")
    planted = ["the-secret", "the-variable", "mount-token", "tunnel-token", "tunnel-key", "private-key"]
    planted += [signature, "private-header", "rk_of_tests", "bucket.s3"]
    assert [] == [secret for secret in planted if secret in text]
    assert "text/plain" in text
    put, execute = _requests(path)[-2:]
    assert {"method": "PUT", "path": "https://storage.invalid/url_1", "text": "content"} == put
    assert "curl https://storage.invalid/url_1?«value:upload_url»" == execute["json"]["command"]
    replay = ReplayTransport(path)
    assert "the-secret the-variable" in program(replay)
    assert [] == replay.unplayed


def test_ids_that_a_list_shows_first_are_numbered(tmp_path: Path) -> None:
    """A run of a benchmark starts runs of scenarios; ids that the program knows stay."""
    path = tmp_path / "x.json"

    def respond(request: Request) -> Response:
        if request.path.endswith("scenario_runs"):
            run = {"id": "scr_kL8", "devbox_id": "dbx_mN9", "scenario_id": "scn_known"}
            return as_json({"runs": [run, "odd"], "has_more": False})
        return as_json({"id": "no-prefix-1", "scenario_id": "scn_known"})

    with RunloopSDK(
        bearer_token="rk", transport=RecordingTransport(path, FunctionTransport(respond))
    ) as runloop:
        runloop.api.get("/v1/benchmark_runs/bmr_1/scenario_runs")
        runloop.api.post("/v1/scenarios/start_run", body={"scenario_id": "scn_known"})
        runloop.api.get("/v1/scenarios/runs/scr_kL8")
    text = path.read_text(encoding="utf-8")
    assert {"scr_1", "dbx_1", "id_1", "/v1/scenarios/runs/scr_1"} <= set(text.split('"'))
    assert "scn_known" in text
    assert [] == [part for part in ("kL8", "mN9", "no-prefix") if part in text]


def test_one_cassette_holds_both_services(tmp_path: Path) -> None:
    """Each path has its own dialect."""
    path = tmp_path / "x.json"

    def program(transport: Transport) -> Iterator[str]:
        with Buntime("key", transport=transport) as client, client.sessions.create() as session:
            runloop = RunloopSDK(bearer_token="rk", transport=transport)
            devbox = runloop.devbox.create()
            yield devbox.cmd.exec("echo hi").stdout()
            yield session.execute("1").stdout
            yield devbox.id
            yield session.id
            devbox.shutdown()

    fake = FakeTransport()
    fake.on_execute(command="echo hi", stdout="hi\n")
    fake.on_execute("1", stdout="1\n")
    list(program(RecordingTransport(path, fake)))
    replay = ReplayTransport(path)
    assert ["hi\n", "1\n", "dbx_1", "ses_1"] == list(program(replay))
    assert [] == replay.unplayed


def test_summaries_name_the_command_or_the_resource() -> None:
    """In the list of interactions that were not played."""
    request = {"method": "POST", "path": "/v1/devboxes", "json": {"name": "box"}}
    assert "'box'" == DIALECT.summary(request)
    assert "'ls'" == DIALECT.summary({**request, "json": {"command": "ls\nmore", "name": "box"}})
    assert "" == DIALECT.summary({"method": "GET", "path": "/v1/devboxes"})


def test_archives_are_stored_unpacked(tmp_path: Path) -> None:
    """Their files are readable, secrets in them have placeholders, and times in them are no change."""
    path = tmp_path / "x.json"
    contents = {"a.json": b'{"end_time_ms": %d, "env": "the-secret"}', "b.txt": b"the-secret", "c": b"\xff"}

    def program(transport: Transport) -> dict[str, bytes]:
        target = tmp_path / "logs.zip"
        with RunloopSDK(bearer_token="rk", transport=transport) as runloop:
            runloop.api.post("/v1/secrets", body={"name": "A", "value": "the-secret"})
            runloop._connection.call("scenarios.runs.download_logs", "scr_1")
            data = runloop._connection.call("scenarios.runs.download_logs", "scr_1")
        target.write_bytes(data)
        with zipfile.ZipFile(target) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def service(now: int) -> FunctionTransport:
        def respond(request: Request) -> Response:
            if request.path == "/v1/secrets":
                return as_json({"id": "sec_1"})
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for name, data in contents.items():
                    archive.writestr(name, data % now if b"%d" in data else data)
            return Response(200, {"Content-Type": "application/zip"}, [buffer.getvalue()])

        return FunctionTransport(respond)

    for now in (1, 2):
        recorded = program(RecordingTransport(path, service(now)))
        text = path.read_text(encoding="utf-8")
        assert '"end_time_ms": 1' in text
        assert "the-secret" not in text
        assert b"the-secret" == recorded["b.txt"]
    replayed = program(ReplayTransport(path))
    assert {"end_time_ms": 1, "env": "the-secret"} == json.loads(replayed.pop("a.json"))
    assert {"b.txt": b"the-secret", "c": b"\xff"} == replayed


def test_what_is_not_an_archive_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its type is; so does an archive that is large."""
    with monkeypatch.context() as patch:
        patch.setattr("buntime._support.archive._LARGEST", 1)
        assert parse_zip(zip_bytes({"a": {"text": "12"}})) is None
    assert parse_zip(b"PK no") is None
    assert {} == parse_zip(zip_bytes({}))
    assert {"a.json": {"text": "{"}} == parse_zip(zip_bytes({"a.json": {"text": "{"}}))
    assert {"json": [1]} == parse_zip(zip_bytes({"a": {"json": [1]}}))["a"]  # type: ignore[index]  # a zip
    assert parse_form(b"--x", "multipart/form-data; boundary=x") is None
    twice = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    assert parse_form(twice + twice + b"--x--\r\n", "multipart/form-data; boundary=x") is None
    assert {"a": "1"} == parse_form(twice + b"--x--\r\n", 'multipart/form-data; boundary="x"')


def test_the_environment_names_a_recording(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the values of ``BUNTIME_TRANSPORT``."""
    path = tmp_path / "x.json"

    def fake() -> FakeTransport:
        fake = FakeTransport()
        fake.on_execute(command="make", stdout="made\n")
        fake.on_execute(command="serve", stdout="served\n")
        return fake

    monkeypatch.setattr("buntime.transport.LocalTransport", fake)
    for mode in ("record+local", "replay"):
        monkeypatch.setenv("RUNLOOP_TRANSPORT", f"{mode}:{path}")
        with RunloopSDK() as runloop:
            results = _program(runloop)
        assert ["made\n", "served\n"] == results[1:3]
    assert ["dbx_1", "snp_1", "bpt_1"] == [results[0], *results[3:]]


def test_folders_of_a_devbox_without_a_sandbox_are_those_of_a_sandbox() -> None:
    """Their names are new in each run."""
    request = {"method": "POST", "path": "/v1/devboxes"}
    created = Interaction({"request": request, "response": {"json": {"id": "dbx_aB3", "name": "x"}}})
    home = "/tmp/buntime-ab12cd34/devboxes/dbx_aB3/home"
    text = (
        f"{home}/a.txt:1 /var/devboxes/dbx_aB3/tmp /v1/devboxes/dbx_aB3/logs /tmp/buntime-ab12cd34/bin:/bin"
    )
    line = journal_line(1, {"request": request, "response": {"text": text}})
    printed = Numbering([created]).renumber(line).response
    assert printed == {"text": "/home/user/a.txt:1 /tmp /v1/devboxes/dbx_1/logs /bin"}


def test_names_of_secrets_are_readable(tmp_path: Path) -> None:
    """Their values are not in the fields with their names."""
    path = tmp_path / "x.json"

    def program(transport: Transport) -> str:
        with RunloopSDK(bearer_token="rk", transport=transport) as runloop:
            runloop.api.post("/v1/secrets", body={"name": "API_TOKEN", "value": "the-secret"})
            runloop.devbox.create(secrets={"API_TOKEN": "API_TOKEN"}, metadata={"token": "the-token"})
            return str(runloop.api.get("/v1/secrets")["secrets"][0]["name"])

    def respond(request: Request) -> Response:
        secret = {"id": "sec_aB3", "name": "API_TOKEN", "create_time_ms": 1}
        is_list = request.method == "GET"
        return as_json({"secrets": [secret]} if is_list else {**secret, "status": "running"})

    assert "API_TOKEN" == program(RecordingTransport(path, FunctionTransport(respond)))
    created, devbox, _ = _requests(path)
    assert {"name": "API_TOKEN", "secret": "«value:secret»"} == created["json"]
    assert {"API_TOKEN": "API_TOKEN"} == devbox["json"]["secrets"]
    assert {"token": "«value:token»"} == devbox["json"]["metadata"]
    assert "API_TOKEN" == program(ReplayTransport(path))


def test_a_folder_is_the_same_request_with_any_compression() -> None:
    """A release of zlib compresses differently, and the files are readable."""

    def put(level: int, *extra: tarfile.TarInfo) -> dict[str, Any]:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=level) as archive:
            for name, mode, data in (("a.txt", 0o644, b"one\n" * 500), ("run", 0o755, b"\xff")):
                info = tarfile.TarInfo(name)
                info.size, info.mode = len(data), mode
                archive.addfile(info, io.BytesIO(data))
            for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE):
                info = tarfile.TarInfo(f"type {kind.decode()}")
                info.type, info.linkname = kind, "a.txt" if kind == tarfile.SYMTYPE else ""
                archive.addfile(info)
            for info in extra:
                archive.addfile(info)
        return serialize_request(
            Request("PUT", "/a", body=buffer.getvalue(), origin="https://storage.example")
        )

    files = {"a.txt": {"text": "one\n" * 500}, "run": {"executable": True, "base64": "/w=="}}
    links = {"type 5": {}, "type 2": {"link": "a.txt"}}
    assert {**files, **links} == put(1)["json"] == put(9)["json"]
    device = tarfile.TarInfo("device")
    device.type = tarfile.CHRTYPE
    assert "base64" in put(1, device)
    assert {"base64": "H4s="} == {
        "base64": serialize_request(Request("PUT", "/a", body=b"\x1f\x8b"))["base64"]
    }


def test_the_mode_of_a_tunnel_is_not_a_secret(tmp_path: Path) -> None:
    """The mode is ``open`` or ``authenticated``, a word that outputs also have."""
    path = tmp_path / "x.json"

    def program(transport: Transport) -> tuple[Any, str]:
        with RunloopSDK(bearer_token="rk", transport=transport) as runloop, runloop.devbox.create() as devbox:
            tunnel = devbox.net.enable_tunnel()
            return tunnel.auth_mode, devbox.cmd.exec("cat log").stdout()

    fake = FakeTransport()
    fake.on_execute(command="cat log", stdout="reopened\n")
    assert ("open", "reopened\n") == program(RecordingTransport(path, fake))
    assert ("open", "reopened\n") == program(ReplayTransport(path))
