"""The life of a devbox, its lists and its errors, over each transport."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.runloop.wire import Wire


def test_create_returns_before_the_devbox_runs(wire: Wire) -> None:
    """The id comes at the start, and a hold returns when the devbox runs."""
    view = wire.post("/devboxes", name="box", metadata={"k": "v"}, environment_variables={"A": "1"})
    assert "provisioning" == view["status"]
    view = wire.post(f"/devboxes/{view['id']}/wait_for_status", statuses=["running", "failure"])
    assert ("running", "box", {"k": "v"}, 3600) == (
        view["status"],
        view["name"],
        view["metadata"],
        view["launch_parameters"]["keep_alive_time_seconds"],
    )
    assert [] == view["capabilities"]


def test_create_and_await_running(wire: Wire) -> None:
    """It returns a devbox that runs; null counts as absent."""
    view = wire.post("/devboxes/create_and_await_running", name=None, blueprint_id=None, metadata=None)
    assert "running" == view["status"]
    assert "name" not in view


def test_everything_that_clients_send_is_accepted(wire: Wire) -> None:
    """What has no effect here is in the log."""
    devbox = wire.create(
        code_mounts=[{"repo_owner": "o", "repo_name": "r"}],
        file_mounts={"/home/user/f.txt": "F"},
        mounts=[{"type": "file_mount", "target": "~/g.txt", "content": "G"}],
        gateways={"g": {"gateway": "x"}},
        tunnel={"auth_mode": "authenticated"},
        launch_parameters={
            "resource_size_request": "X_SMALL",
            "architecture": "x86_64",
            "available_ports": [8080],
            "user_parameters": {"uid": 1, "username": "u"},
            "network_policy_id": "np_1",
        },
        something_new={"of": "a later version"},
    )
    assert "FG" == "".join(
        wire.send("POST", f"{devbox}/read_file_contents", {"file_path": path}).read().decode()
        for path in ("f.txt", "g.txt")
    )
    assert "authenticated" == wire.get(devbox)["tunnel"]["auth_mode"]
    messages = " ".join(row.get("message", "") for row in wire.get(f"{devbox}/logs")["logs"])
    for word in ("code_mounts", "gateways", "network_policy_id", "user_parameters"):
        assert word in messages


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"blueprint_id": "a", "snapshot_id": "b"}, "Only one of"),
        ({"name": 5}, "name must be a string"),
        ({"launch_parameters": {"keep_alive_time_seconds": 172801}}, "from 1 to 172800"),
        ({"launch_parameters": {"resource_size_request": "HUGE"}}, "resource_size_request must be one of"),
        ({"launch_parameters": {"after_idle": {"idle_time_seconds": 1, "on_idle": "x"}}}, "on_idle"),
        ({"environment_variables": {"A=B": "1"}}, "must not be empty or hold"),
        ({"metadata": {"a": 1}}, "metadata.a must be a string"),
        ({"secrets": {"DB": "NONE"}}, "no secret NONE"),
        ({"mounts": [{"type": "x"}]}, "mounts[0].type"),
        ({"file_mounts": {"/home/user": "x"}}, "/home/user"),
    ],
)
def test_a_bad_create_is_a_400(wire: Wire, body: Any, expected: str) -> None:
    """The message names the field, and no devbox is made."""
    before = wire.get("/devboxes")["total_count"]
    status, message = wire.refused("/devboxes", **body)
    assert 400 == status
    assert expected in message
    assert before == wire.get("/devboxes")["total_count"]


def test_unknown_objects_are_404(wire: Wire) -> None:
    """Each message names what is missing."""
    devbox = wire.create()
    for path in ("/devboxes/dbx_none", f"{devbox}/executions/exc_none", "/blueprints/b", "/nothing"):
        response = wire.send("GET", path)
        assert 404 == response.status
        assert path.rpartition("/")[2] in json.loads(response.read())["message"]
    assert 404 == wire.refused("/devboxes", snapshot_id="snp_none")[0]
    assert 404 == wire.refused("/devboxes", blueprint_name="none")[0]


def test_a_request_needs_a_key(wire: Wire) -> None:
    """The error has the form of Runloop's, also where a server checks the key."""
    response = wire.send("GET", "/devboxes", headers={"Authorization": "Bearer "})
    assert 401 == response.status
    assert {"message", "code"} == set(json.loads(response.read()))


def test_a_known_path_with_another_method_is_405(wire: Wire) -> None:
    """The header names the method."""
    response = wire.send("DELETE", "/devboxes")
    assert (405, "POST, GET") == (response.status, response.headers["Allow"])
    response.close()


def test_lists_have_pages_with_the_newest_first(wire: Wire) -> None:
    """A page begins after the last id of the one before it."""
    ids = [wire.post("/devboxes", name=f"n{index}")["id"] for index in range(3)]
    page = wire.get("/devboxes", limit="2")
    assert [ids[2], ids[1]] == [row["id"] for row in page["devboxes"]]
    assert page["has_more"]
    assert page["total_count"] - page["remaining_count"] == 2
    rest = wire.get("/devboxes", limit="5000", starting_after=ids[1], include_total_count="false")
    assert ids[0] == rest["devboxes"][0]["id"]
    assert {"devboxes", "has_more"} == set(rest)
    assert wire.get("/devboxes", status="suspended")["devboxes"] == []
    for query in ({"limit": "0"}, {"limit": "x"}, {"starting_after": "dbx_none"}, {"status": "x"}):
        response = wire.send("GET", "/devboxes", query=query)
        assert 400 == response.status
        response.close()


def test_update_keeps_what_is_absent(wire: Wire) -> None:
    """An empty value clears."""
    devbox = wire.create(name="a", metadata={"k": "v"})
    view = wire.post(devbox, name="b")
    assert ("b", {"k": "v"}) == (view["name"], view["metadata"])
    view = wire.post(devbox, metadata={}, name="")
    assert {} == view["metadata"]
    assert "name" not in view


def test_a_hold_ends_with_a_408(wire: Wire) -> None:
    """The client asks again; an unknown status or too long a hold is a 400."""
    devbox = wire.create()
    response = wire.send(
        "POST", f"{devbox}/wait_for_status", {"statuses": ["suspended"], "timeout_seconds": 0}
    )
    assert (408, "true") == (response.status, response.headers["x-should-retry"])
    response.close()
    assert 400 == wire.refused(f"{devbox}/wait_for_status", statuses=["happy"])[0]
    assert 400 == wire.refused(f"{devbox}/wait_for_status", statuses=["running"], timeout_seconds=31)[0]
    assert "running" == wire.post(f"{devbox}/wait_for_status", statuses=["running"])["status"]


def test_suspend_keeps_files_and_ends_processes(wire: Wire) -> None:
    """Only a devbox that runs can be suspended, only a suspended one resumed."""
    devbox = wire.create()
    wire.post(f"{devbox}/write_file_contents", file_path="a/b.txt", contents="kept")
    execution = wire.start(devbox, "echo up; sleep 1000")
    assert 400 == wire.refused(f"{devbox}/resume")[0]
    assert "suspending" == wire.post(f"{devbox}/suspend")["status"]
    assert "suspended" == wire.post(f"{devbox}/wait_for_status", statuses=["suspended"])["status"]
    assert 137 == wire.get(execution)["exit_status"]
    assert 400 == wire.refused(f"{devbox}/suspend")[0]
    assert 400 == wire.refused(f"{devbox}/execute_async", command="true")[0]
    assert "resuming" == wire.post(f"{devbox}/resume")["status"]
    wire.post(f"{devbox}/wait_for_status", statuses=["running"])
    assert "kept" == wire.execute(devbox, "cat a/b.txt")["stdout"]


def test_shutdown_is_final_and_readable(wire: Wire) -> None:
    """A second one is a 400, and what ran stays readable."""
    devbox = wire.create()
    execution = wire.start(devbox, "echo up; sleep 1000")
    view = wire.post(f"{devbox}/shutdown")
    assert ("shutdown", "api_shutdown") == (view["status"], view["shutdown_reason"])
    assert view["end_time_ms"] >= view["create_time_ms"]
    assert view == wire.get(devbox)
    assert "completed" == wire.get(execution)["status"]
    for call in ("shutdown", "suspend", "resume", "keep_alive"):
        assert 400 == wire.refused(f"{devbox}/{call}")[0]
    assert 400 == wire.refused(f"{devbox}/execute_async", command="true")[0]


def test_launch_commands_run_before_the_devbox_does(wire: Wire) -> None:
    """They are in the log."""
    devbox = wire.create(launch_parameters={"launch_commands": ["echo launched > l.txt", "true"]})
    content = wire.send("POST", f"{devbox}/read_file_contents", {"file_path": "l.txt"}).read()
    assert b"launched\n" == content
    rows = [row for row in wire.get(f"{devbox}/logs")["logs"] if row["source"] == "setup_commands"]
    assert ["echo launched > l.txt", "true"] == [row["cmd"] for row in rows if "cmd" in row]


def test_a_failing_launch_command_fails_the_devbox(wire: Wire) -> None:
    """The reason is in the view, and no later command runs."""
    body = {"launch_parameters": {"launch_commands": ["exit 9", "true"]}}
    view = wire.post("/devboxes/create_and_await_running", **body)
    assert ("failure", "execution_failed") == (view["status"], view["failure_reason"])


def test_the_end_of_the_entrypoint_ends_the_devbox(wire: Wire) -> None:
    """The reason is in the view."""
    devbox = f"/devboxes/{wire.post('/devboxes', entrypoint='true')['id']}"
    view = wire.post(f"{devbox}/wait_for_status", statuses=["shutdown"], timeout_seconds=30)
    assert "entrypoint_exit" == view["shutdown_reason"]


def test_tunnels_and_keys_have_the_right_form(wire: Wire) -> None:
    """They lead nowhere, which the log explains; a second tunnel is a 400."""
    devbox = wire.create()
    tunnel = wire.post(f"{devbox}/enable_tunnel", auth_mode="authenticated")
    assert {"tunnel_key", "auth_mode", "auth_token"} <= set(tunnel)
    assert tunnel == wire.get(devbox)["tunnel"]
    assert 400 == wire.refused(f"{devbox}/enable_tunnel")[0]
    assert {} == wire.post(f"{devbox}/remove_tunnel")
    assert "auth_token" not in wire.post(f"{devbox}/enable_tunnel", auth_mode="open")
    key = wire.post(f"{devbox}/create_ssh_key")
    assert {"id", "ssh_private_key", "ssh_user", "url"} == set(key)
    messages = " ".join(row.get("message", "") for row in wire.get(f"{devbox}/logs")["logs"])
    assert "tunnel" in messages
    assert "SSH" in messages


def test_a_repeated_create_makes_one_devbox(wire: Wire) -> None:
    """Repeated means: with the same x-request-id and the same body."""
    header = {"x-request-id": "r-1"}
    first, repeated = (
        json.loads(wire.send("POST", "/devboxes", {"name": "n"}, headers=header).read()) for _ in range(2)
    )
    other = json.loads(wire.send("POST", "/devboxes", {"name": "m"}, headers=header).read())
    assert first["id"] == repeated["id"] != other["id"]
