"""Devboxes of the fake: its clock, its scripts, its failures, and what a test can inspect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from buntime.service.devboxes import model
from buntime.transport import FakeTransport
from tests.runloop.wire import Wire, events


@pytest.fixture
def fake() -> Iterator[FakeTransport]:
    """Return a fake."""
    transport = FakeTransport(boot_time=3, build_time=10, snapshot_time=4)
    yield transport
    transport.close()


@pytest.fixture
def wire(fake: FakeTransport) -> Wire:
    """Send requests to it."""
    return Wire(fake)


def test_a_devbox_boots_by_the_clock(fake: FakeTransport, wire: Wire) -> None:
    """Its transitions have the times at which they were due, whenever a request looks at them."""
    view = wire.post("/devboxes", name="box")
    assert "provisioning" == view["status"]
    fake.advance(100)
    view = wire.get(f"/devboxes/{view['id']}")
    times = [each["transition_time_ms"] - view["create_time_ms"] for each in view["state_transitions"]]
    assert ["provisioning", "initializing", "running"] == [
        each["status"] for each in view["state_transitions"]
    ]
    assert [0, 3000, 3000] == times


def test_a_hold_moves_the_clock_as_far_as_it_must(fake: FakeTransport, wire: Wire) -> None:
    """A hold that succeeds costs the time of the change, one that fails its whole length."""
    start = fake.monotonic()
    path = wire.create()
    assert 3 == fake.monotonic() - start
    status, _ = wire.refused(f"{path}/wait_for_status", statuses=["shutdown"], timeout_seconds=7)
    assert 408 == status
    assert 10 == fake.monotonic() - start


def test_commands_are_scripted_like_those_of_sessions(fake: FakeTransport, wire: Wire) -> None:
    """One script serves both services; files that it writes are on the devbox."""
    fake.on_execute(command="build", stdout="ok\n", stderr="w\n", exit_code=3, files={"out.txt": "x"})
    view = wire.execute(wire.create(), "build")
    assert (3, "ok\n", "w\n") == (view["exit_status"], view["stdout"], view["stderr"])
    (devbox,) = fake.devboxes.values()
    assert {"/home/user/out.txt": b"x"} == devbox.files


def test_a_command_without_a_script_is_refused(fake: FakeTransport, wire: Wire) -> None:
    """The message has the line to add."""
    status, message = wire.refused(f"{wire.create()}/execute_async", command="ls")
    assert 501 == status
    assert "fake.on_execute(command='ls'" in message


def test_an_execution_takes_the_time_of_its_script(fake: FakeTransport, wire: Wire) -> None:
    """One that takes longer than a hold is still running at its end."""
    fake.on_execute(command="slow", stdout="done\n", execution_time=60_000)
    devbox = wire.create()
    view = wire.post(f"{devbox}/execute", command="slow", command_id="1")
    assert "running" == view["status"]
    execution = f"{devbox}/executions/{view['execution_id']}"
    assert 408 == wire.refused(f"{execution}/wait_for_status", statuses=["completed"])[0]
    start = fake.monotonic()
    assert 0 == wire.completed(execution)["exit_status"]
    assert 10 == fake.monotonic() - start


def test_a_server_runs_until_it_is_killed(fake: FakeTransport, wire: Wire) -> None:
    """With keeps_running no time ends it."""
    fake.on_execute(command="serve", stdout="up\n", keeps_running=True)
    execution = wire.start(wire.create(), "serve")
    fake.advance(1000)
    assert "running" == wire.get(execution)["status"]
    assert 137 == wire.post(f"{execution}/kill")["exit_status"]


def test_a_stream_leaves_the_clock_alone(fake: FakeTransport, wire: Wire) -> None:
    """A reader of the output of a server does not move time to the end of the devbox."""
    fake.on_execute(command="serve", stdout="up\n", keeps_running=True)
    execution = wire.start(wire.create(), "serve")
    start = fake.monotonic()
    with ThreadPoolExecutor(1) as pool:
        stream = wire.send("GET", f"{execution}/stream_stdout_updates")
        assert [{"output": "up\n", "offset": 0}] == events(next(stream.chunks))
        rest = pool.submit(stream.read)
        assert "running" == wire.get(execution)["status"]
        assert start == fake.monotonic()
        wire.post(f"{execution}/kill")
        assert b"" == rest.result()


def test_planned_failures_by_the_name_of_the_route(fake: FakeTransport, wire: Wire) -> None:
    """They have the form of the service's errors, and an unknown name is an error."""
    fake.fail_next(503, call="devboxes.create", code="busy", message="later")
    assert {"devboxes": [], "has_more": False, "total_count": 0, "remaining_count": 0} == wire.get(
        "/devboxes"
    )
    response = wire.send("POST", "/devboxes", {})
    assert 503 == response.status
    assert {"code": "busy", "message": "later"} == json.loads(response.read())
    with pytest.raises(ValueError, match="not a call of the API"):
        fake.fail_next(503, call="devboxes.made")


def test_calls_keep_bodies_that_are_not_json(fake: FakeTransport, wire: Wire) -> None:
    """An uploaded form can be inspected."""
    wire.send("POST", "/devboxes/x/upload_file", content=b"\x00form", headers={"Content-Type": "multipart/x"})
    wire.send("POST", "/devboxes/x/shutdown", {"a": 1})
    assert [(None, b"\x00form"), ({"a": 1}, b"")] == [(call.json, call.body) for call in fake.calls]


def test_devboxes_can_be_set_up_and_inspected(fake: FakeTransport, wire: Wire) -> None:
    """Those that have ended are not listed."""
    first, _second = wire.create(name="a", metadata={"k": "v"}), wire.create(name="b")
    devbox, other = fake.devboxes.values()
    assert ("a", {"k": "v"}, "running", "b") == (devbox.name, devbox.metadata, devbox.status, other.name)
    devbox.write("in/a.txt", "text")
    devbox.write("/tmp/b.txt", b"bytes")
    assert {"/home/user/in/a.txt": b"text", "/tmp/b.txt": b"bytes"} == devbox.files
    wire.post(f"{first}/shutdown")
    assert [other.id] == list(fake.devboxes)


def test_the_keep_alive_ends_a_devbox(fake: FakeTransport, wire: Wire) -> None:
    """Each keep_alive begins its time again, and the end is dated to when it was due."""
    path = wire.create(launch_parameters={"keep_alive_time_seconds": 60})
    fake.advance(50)
    assert {} == wire.post(f"{path}/keep_alive")
    fake.advance(50)
    assert "running" == wire.get(path)["status"]
    fake.advance(1000)
    view = wire.get(path)
    assert ("shutdown", "keep_alive_timeout") == (view["status"], view["shutdown_reason"])
    assert 53_000 + 60_000 == view["end_time_ms"] - view["create_time_ms"]


@pytest.mark.parametrize(("on_idle", "status"), [("suspend", "suspended"), ("shutdown", "shutdown")])
def test_an_idle_policy(fake: FakeTransport, wire: Wire, on_idle: str, status: str) -> None:
    """It replaces the keep-alive, and a running command is not idle."""
    fake.on_execute(command="work", execution_time=7_200_000)
    policy = {"idle_time_seconds": 60, "on_idle": on_idle}
    path = wire.create(launch_parameters={"after_idle": policy})
    wire.start(path, "work")
    fake.advance(7_200)
    assert "running" == wire.get(path)["status"]
    fake.advance(59)
    assert "running" == wire.get(path)["status"]
    fake.advance(1)
    assert status == wire.get(path)["status"]


def test_a_blueprint_is_complete_in_its_time(fake: FakeTransport, wire: Wire) -> None:
    """Nothing is built, and the log explains it."""
    blueprint = wire.post("/blueprints", name="b", dockerfile="FROM x", system_setup_commands=["true"])
    path = f"/blueprints/{blueprint['id']}"
    assert "provisioning" == blueprint["status"]
    assert 400 == wire.refused("/devboxes", blueprint_id=blueprint["id"])[0]
    fake.advance(9)
    assert "building" == wire.get(path)["status"]
    fake.advance(1)
    assert "build_complete" == wire.get(path)["status"]
    messages = [row["message"] for row in wire.get(f"{path}/logs")["logs"]]
    assert ["Dockerfile" in message for message in messages] == [False, True, False]
    assert "1 system_setup_commands were not run" == messages[2]


def test_a_snapshot_takes_its_time(fake: FakeTransport, wire: Wire) -> None:
    """Meanwhile the devbox cannot be shut down."""
    path = wire.create()
    snapshot = wire.post(f"{path}/snapshot_disk_async", name="s")
    status = f"/devboxes/disk_snapshots/{snapshot['id']}/status"
    assert "in_progress" == wire.get(status)["status"]
    assert 409 == wire.refused(f"{path}/shutdown")[0]
    assert 409 == wire.refused(f"{path}/snapshot_disk_async")[0]
    fake.advance(4)
    assert "complete" == wire.get(status)["status"]
    wire.post(f"{path}/shutdown")


def test_a_blueprint_has_the_parameters_of_its_base(fake: FakeTransport, wire: Wire) -> None:
    """Those that it does not set itself; only one base can be named."""
    mounts = {"a.txt": "from the base"}
    base = wire.post("/blueprints", name="base", file_mounts=mounts)["id"]
    fake.advance(20)
    wire.post("/blueprints", name="same", base_blueprint_name="base")
    wire.post("/blueprints", name="other", base_blueprint_id=base, file_mounts={"b.txt": "its own"})
    fake.advance(20)
    for name in ("same", "other"):
        wire.create(blueprint_name=name)
    files = [devbox.files for devbox in fake.devboxes.values()]
    assert [{"/home/user/a.txt": b"from the base"}, {"/home/user/b.txt": b"its own"}] == files
    both = {"base_blueprint_id": base, "base_blueprint_name": "base"}
    assert 400 == wire.refused("/blueprints", name="n", **both)[0]


def test_the_oldest_objects_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is in use stays, even if it is older."""
    monkeypatch.setattr(model, "_MOST", 3)
    rows = [SimpleNamespace(id=f"{number}", over=number in {1, 2}) for number in range(6)]
    table: model.Table[Any] = model.Table("row", lambda row: bool(row.over))
    for row in rows:
        table.add(row)
    assert ["5", "4", "3", "0"] == [row.id for row in table.newest_first()]
    table.remove(rows[5])
    table.remove(rows[5])
    assert None is table.find("5")
