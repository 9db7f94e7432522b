"""Devboxes, files, snapshots and blueprints on every transport."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from buntime.errors import InvalidRequestError, NotFoundError, UnprocessableEntityError
from buntime.runloop import Devbox, RunloopSDK, to_file
from tests.runloop.model.scripts import BOTH, COUNT, ENVIRONMENT, FOREVER, LINES

BINARY = bytes(range(256)) * 40


def test_life_of_a_devbox(runloop: RunloopSDK) -> None:
    """A devbox runs when ``create`` returns, and stays readable after its shutdown."""
    with runloop.devbox.create(name="life", metadata={"a": "b"}) as devbox:
        view = devbox.get_info()
        assert ("running", "life", {"a": "b"}) == (view.status, view.name, view.metadata)
        assert ["provisioning", "initializing", "running"] == [each.status for each in view.state_transitions]
        assert "renamed" == devbox.update(name="renamed").name
        devbox.keep_alive()
        assert "suspended" == devbox.suspend().status
        assert "running" == devbox.resume().status
        assert devbox.get_tunnel_url(8080) is None
        tunnel = devbox.net.enable_tunnel(auth_mode="authenticated")
        assert f"https://8080-{tunnel.tunnel_key}.tunnel.runloop.ai" == devbox.get_tunnel_url(8080)
        devbox.net.remove_tunnel()
    view = devbox.get_info()
    assert ("shutdown", "api_shutdown") == (view.status, view.shutdown_reason)


def test_commands(devbox: Devbox) -> None:
    """Exit code, both outputs, environment, long output, and a command that is killed."""
    result = devbox.cmd.exec(BOTH)
    assert ("to stdout\n", "to stderr\n", 3, True) == (
        result.stdout(),
        result.stderr(),
        result.exit_code,
        result.failed,
    )
    assert "hi\n" == devbox.cmd.exec(ENVIRONMENT).stdout()
    long = devbox.cmd.exec(LINES)
    assert (1000, "Line 999\nLine 1000") == (len(long.stdout().splitlines()), long.stdout(num_lines=2))
    has_printed = threading.Event()
    execution = devbox.cmd.exec_async(FOREVER, stdout=lambda _: has_printed.set())
    assert has_printed.wait(60)
    assert "running" == execution.get_state().status
    execution.kill()
    assert 137 == execution.result(timeout=60).exit_code


def test_output_as_it_arrives(devbox: Devbox) -> None:
    """Callbacks get the output of both streams."""
    texts: dict[str, list[str]] = {"stdout": [], "stderr": []}
    result = devbox.cmd.exec(BOTH, stdout=texts["stdout"].append, stderr=texts["stderr"].append)
    assert {"stdout": "to stdout\n", "stderr": "to stderr\n"} == {
        kind: "".join(pieces) for kind, pieces in texts.items()
    }
    assert 3 == result.exit_code


def test_same_command_id_is_one_execution(devbox: Devbox) -> None:
    """The service executes a command once for one ``command_id``."""
    for _ in range(2):
        result = devbox.cmd.exec(COUNT, command_id="0198c0de-0000-7000-8000-000000000001")
        assert "1\n" == result.stdout()


@pytest.mark.parametrize(
    "make",
    [
        lambda _: BINARY,
        lambda folder: folder / "up.bin",
        lambda folder: (folder / "up.bin").open("rb"),
        lambda _: io.BytesIO(BINARY),
        lambda _: (BINARY[i : i + 1000] for i in range(0, len(BINARY), 1000)),
        lambda _: to_file(BINARY, "name.bin"),
        lambda _: ("name.bin", BINARY, "application/x-test"),
    ],
    ids=["bytes", "path", "open file", "memory file", "iterable", "to_file", "tuple"],
)
def test_uploads(devbox: Devbox, tmp_path: Path, make: Callable[[Path], Any]) -> None:
    """Every form of a file arrives byte for byte."""
    (tmp_path / "up.bin").write_bytes(BINARY)
    file = make(tmp_path)
    devbox.file.upload(path="deep/up.bin", file=file)
    if hasattr(file, "close"):
        file.close()
    assert BINARY == devbox.file.download(path="deep/up.bin")


def test_text_files(devbox: Devbox) -> None:
    """Text is written and read; a missing file is an error of the service."""
    devbox.file.write(file_path="a/b.txt", contents="text é\r\n")
    assert "text é\r\n" == devbox.file.read(file_path="/home/user/a/b.txt")
    devbox.file.upload(path="/tmp/c.txt", file="text é")
    assert "text é" == devbox.file.read(file_path="/tmp/c.txt")
    with pytest.raises((InvalidRequestError, NotFoundError, UnprocessableEntityError)):
        devbox.file.read(file_path="none.txt")


def test_snapshots(runloop: RunloopSDK, devbox: Devbox) -> None:
    """A snapshot has the disk, and is listed, changed, used and deleted."""
    devbox.file.write(file_path="a.txt", contents="kept")
    snapshot = devbox.snapshot_disk(name="s", metadata={"k": "v"})
    view = snapshot.get_info().snapshot
    assert view is not None
    assert ("s", {"k": "v"}, devbox.id) == (view.name, view.metadata, view.source_devbox_id)
    assert [snapshot.id] == [each.id for each in runloop.snapshot.list(devbox_id=devbox.id)]
    assert [snapshot.id] == [
        each.id for each in runloop.snapshot.list(devbox_id=devbox.id, metadata={"k": "v"})
    ]
    assert "t" == snapshot.update(name="t").name
    with snapshot.create_devbox() as clone:
        assert "kept" == clone.file.read(file_path="a.txt")
    snapshot.delete()


def test_blueprints(runloop: RunloopSDK) -> None:
    """A blueprint is built, has a log, starts devboxes, and is deleted."""
    blueprint = runloop.blueprint.create(name="base", dockerfile="FROM ubuntu:22.04")
    assert "build_complete" == blueprint.get_info().status
    assert any("Dockerfile" in (row.message or "") for row in blueprint.logs().logs)
    with blueprint.create_devbox() as devbox:
        assert blueprint.id == devbox.get_info().blueprint_id
    with runloop.devbox.create_from_blueprint_name("base") as devbox:
        assert "running" == devbox.get_info().status
    blueprint.delete()
    assert "deleted" == blueprint.get_info().state


def test_lists(runloop: RunloopSDK) -> None:
    """A list is fetched page by page, newest first, and behaves like a sequence."""
    names = [f"box-{number}" for number in range(5)]
    devboxes = [runloop.devbox.create(name=name) for name in names]
    listing = runloop.devbox.list(limit=2, status="running")
    ids = [devbox.id for devbox in reversed(devboxes)]
    assert ids == [devbox.id for devbox in listing][:5]
    assert ids[1] == listing[1].id
    assert ids[:3] == [devbox.id for devbox in listing[:3]]
    assert listing
    page = runloop.api.devboxes.list(limit=2, include_total_count=True)
    assert (2, True) == (len(page.devboxes), page.has_more)
    assert ids[2:4] == [view.id for view in page.get_next_page().devboxes]
    for devbox in devboxes:
        devbox.shutdown()


def test_errors(runloop: RunloopSDK) -> None:
    """A missing devbox and a contradiction are errors with their official names."""
    with pytest.raises(NotFoundError) as missing:
        runloop.devbox.from_id("dbx_none").get_info()
    with pytest.raises(InvalidRequestError) as wrong:
        runloop.devbox.create(blueprint_id="a", snapshot_id="b")
    assert ("NotFoundError", 404) == (missing.value.name, missing.value.status)
    assert ("BadRequestError", 400) == (wrong.value.name, wrong.value.status)


def test_calls_that_do_not_wait(runloop: RunloopSDK, devbox: Devbox) -> None:
    """A snapshot, a suspension and what they lead to, each step by itself; and a key for SSH."""
    devbox.file.write(file_path="a.txt", contents="one")
    snapshot = devbox.snapshot_disk_async(name="s")
    assert "complete" == snapshot.await_completed().status
    with runloop.devbox.create_from_snapshot(snapshot.id) as clone:
        assert "one" == clone.file.read(file_path="a.txt")
    blueprint = runloop.blueprint.create(name="b")
    with runloop.devbox.create_from_blueprint_id(blueprint.id) as other:
        assert blueprint.id == other.get_info().blueprint_id
    assert "user" == devbox.net.create_ssh_key().ssh_user
    runloop.api.devboxes.suspend(devbox.id)
    assert "suspended" == devbox.await_suspended().status
    devbox.resume_async()
    assert "running" == devbox.await_running().status
    for each in (snapshot, blueprint):
        each.delete()
