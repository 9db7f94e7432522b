"""Creating, describing and deleting sessions, and their expiry."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from buntime.service.executors import Limits
from buntime.service.sessions.app import Service
from buntime.service.workspace.base import Workspace, WorkspaceGone
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support.cases import in_one_test
from tests.support.clocks import ManualClock
from tests.support.executors import PlayedExecutor, PlayedRuntime
from tests.support.wire_client import WireClient
from tests.unit.service.conftest import MakeWireClient


def test_create_responds_as_documented(wire_client: WireClient) -> None:
    """Every field, flat, with the documented defaults; metadata is not echoed."""
    response = wire_client.post("/sessions/create", {"metadata": {"user": "x"}})

    session_id = response.body["sessionId"]
    assert 200 == response.status
    assert "application/json" == response.headers["content-type"]
    assert re.fullmatch("ses_[a-z0-9]{18}", session_id)
    assert {
        "sessionId": session_id,
        "createdAt": "2024-01-19T10:30:00Z",
        "expiresAt": "2024-01-20T10:30:00Z",
        "previewUrl": f"https://{session_id.replace('_', '-')}.buntime.sh",
        "resourceLimits": {"memory": 1024, "cpu": 0.25, "timeout": 30, "disk": 1024},
    } == response.body


def test_create_accepts_an_empty_body(wire_client: WireClient) -> None:
    """A missing body creates a session too, also without a Content-Type."""
    assert 200 == wire_client.post("/sessions/create").status


def test_create_sets_ttl_and_resources(wire_client: WireClient) -> None:
    """The requested values are in the response, and reach the executor."""
    response = wire_client.post(
        "/sessions/create", {"ttl": 300, "resourceLimits": {"memory": 2048, "cpu": 2, "timeout": 60}}
    )

    runtime = wire_client.runtime(response.body["sessionId"])
    assert "2024-01-19T10:35:00Z" == response.body["expiresAt"]
    assert {"memory": 2048, "cpu": 2, "timeout": 60, "disk": 1024} == response.body["resourceLimits"]
    assert Limits(memory=2048, cpu=2, timeout=60, disk=1024) == runtime.limits
    assert 300 == runtime.lifetime


@in_one_test(
    ("field", "fields"),
    [
        ("ttl", {"ttl": 299}),
        ("ttl", {"ttl": 604801}),
        ("ttl", {"ttl": "300"}),
        ("ttl", {"ttl": 300.5}),
        ("ttl", {"ttl": True}),
        ("metadata", {"metadata": [1]}),
        ("metadata", {"metadata": {"text": "x" * 16 * 1024}}),
        ("resourceLimits", {"resourceLimits": 1}),
        ("resourceLimits.memory", {"resourceLimits": {"memory": 0}}),
        ("resourceLimits.memory", {"resourceLimits": {"memory": 4097}}),
        ("resourceLimits.cpu", {"resourceLimits": {"cpu": 0}}),
        ("resourceLimits.cpu", {"resourceLimits": {"cpu": "1"}}),
        ("resourceLimits.timeout", {"resourceLimits": {"timeout": 301}}),
    ],
)
def test_create_rejects_values_out_of_bounds(
    wire_client: WireClient, field: str, fields: dict[str, Any]
) -> None:
    """A 400 with the field; no session is created."""
    response = wire_client.post("/sessions/create", fields)

    assert (400, "invalid_request") == (response.status, response.code)
    assert field == response.details["field"]
    assert {} == wire_client.service.sessions


def test_bounds_include_their_ends(wire_client: WireClient) -> None:
    """The minimum and the maximum of the contract are allowed; null is the same as missing."""
    wire_client.create(ttl=300, resourceLimits={"memory": 1, "timeout": 1})
    wire_client.create(ttl=604800, resourceLimits={"memory": 4096, "timeout": 300})
    wire_client.create(ttl=None, metadata=None, resourceLimits={"memory": None}, unknown="ignored")


def test_info_responds_as_documented(wire_client: WireClient) -> None:
    """Metadata is returned; preview URL and resources are not."""
    session_id = wire_client.create(ttl=3600, metadata={"user": "x", "n": [1]})
    workspace = wire_client.service.sessions[session_id].workspace
    workspace.write_all([("a/b", b""), ("c", b""), (".buntime/state", b"")])
    wire_client.runtime(session_id).pids = [7, 8]

    assert {
        "sessionId": session_id,
        "createdAt": "2024-01-19T10:30:00Z",
        "expiresAt": "2024-01-19T11:30:00Z",
        "lastActive": "2024-01-19T10:30:00Z",
        "state": "active",
        "filesCount": 2,
        "activeProcesses": 2,
        "metadata": {"user": "x", "n": [1]},
    } == wire_client.get(f"/sessions/{session_id}").body


def test_a_session_becomes_idle_and_info_does_not_wake_it(wire_client: WireClient) -> None:
    """Idle after 5 minutes without a request; GET returns the state without changing it."""
    session_id = wire_client.create()
    states = []
    for _ in range(3):
        states.append(wire_client.get(f"/sessions/{session_id}").body["state"])
        wire_client.clock.advance(150)

    assert ["active", "active", "idle"] == states


def test_a_request_wakes_a_session(wire_client: WireClient) -> None:
    """Any other request to it makes it active, and sets its lastActive."""
    session_id = wire_client.create()
    wire_client.clock.advance(600)
    wire_client.get("/files/list", sessionId=session_id)

    info = wire_client.get(f"/sessions/{session_id}").body
    assert ("active", "2024-01-19T10:40:00Z") == (info["state"], info["lastActive"])


def test_deep_sleep_ends_processes_and_keeps_files(wire_client: WireClient) -> None:
    """After 30 minutes, once; the next request makes the session active, with its files."""
    session_id = wire_client.create()
    runtime = wire_client.runtime(session_id)
    runtime.pids = [1]
    wire_client.post("/files/write", {"sessionId": session_id, "path": "a", "content": "kept"})
    wire_client.clock.advance(1800)

    info = wire_client.get(f"/sessions/{session_id}").body
    wire_client.get(f"/sessions/{session_id}")
    assert ("deep-sleep", 0, 1) == (info["state"], info["activeProcesses"], runtime.put_to_sleep)
    assert "kept" == wire_client.get("/files/read", sessionId=session_id, path="a").body["content"]
    assert "active" == wire_client.get(f"/sessions/{session_id}").body["state"]


def test_a_request_after_30_minutes_has_no_processes(wire_client: WireClient) -> None:
    """The processes end although the first request is for the session itself."""
    session_id = wire_client.create()
    wire_client.runtime(session_id).pids = [1]
    wire_client.clock.advance(1800)

    assert 0 == wire_client.post("/execution/kill", {"sessionId": session_id}).body["killed"]
    wire_client.clock.advance(1800)
    wire_client.get("/nothing")
    assert 2 == wire_client.runtime(session_id).put_to_sleep


def test_a_session_expires_with_its_ttl(wire_client: WireClient) -> None:
    """From then on its id is 404 everywhere, its files are deleted and its processes ended."""
    session_id = wire_client.create(ttl=300)
    session = wire_client.service.sessions[session_id]
    wire_client.clock.advance(299)
    assert 200 == wire_client.execute(session_id).status
    wire_client.clock.advance(1)

    assert {} == wire_client.service.sessions
    _assert_gone(wire_client, session_id)
    assert wire_client.runtime(session_id).closed.is_set()
    with pytest.raises(WorkspaceGone):
        session.workspace.list()


def test_a_session_expires_at_any_request(wire_client: WireClient) -> None:
    """Clean-up does not wait for a request that names the session."""
    session_id = wire_client.create(ttl=300)
    wire_client.clock.advance(300)
    wire_client.get("/nothing")

    assert wire_client.runtime(session_id).closed.is_set()


def test_delete_ends_a_session(wire_client: WireClient) -> None:
    """The response names the session; from then on its id is 404, also for another delete."""
    session_id, other = wire_client.create(), wire_client.create()

    response = wire_client.delete(f"/sessions/{session_id}")

    assert (200, {"deleted": True, "sessionId": session_id}) == (response.status, response.body)
    assert wire_client.runtime(session_id).closed.is_set()
    _assert_gone(wire_client, session_id)
    assert [other] == list(wire_client.service.sessions)


def test_an_unknown_session_is_not_found(wire_client: WireClient) -> None:
    """Whatever the id, percent-encoded ones in the path too."""
    _assert_gone(wire_client, "ses_x")
    assert {"sessionId": "é/x"} == wire_client.get("/sessions/%C3%A9%2Fx").details


def _assert_gone(wire_client: WireClient, session_id: str) -> None:
    body = {"sessionId": session_id, "path": "a", "content": "", "code": "1"}
    responses = [
        wire_client.get(f"/sessions/{session_id}"),
        wire_client.delete(f"/sessions/{session_id}"),
        wire_client.post("/execute", body),
        wire_client.post("/execution/kill", body),
        wire_client.post("/files/write", body),
        wire_client.get("/files/list", sessionId=session_id),
        wire_client.get("/files/read", sessionId=session_id, path="a"),
    ]
    for response in responses:
        assert (404, "session_not_found") == (response.status, response.code)
        assert session_id in response.body["error"]["message"]
        assert {"sessionId": session_id} == response.details


def test_a_session_id_must_be_a_string(wire_client: WireClient) -> None:
    """A 400 with the field if it is missing or has another type."""
    for body in ({}, {"sessionId": None}, {"sessionId": 5}):
        response = wire_client.post("/execute", body)
        assert (400, "sessionId") == (response.status, response.details["field"])


def test_concurrent_deletes_delete_once(wire_client: WireClient) -> None:
    """One of many callers deletes it, the others get a 404."""
    session_id = wire_client.create()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda _: wire_client.delete(f"/sessions/{session_id}").status, range(8)),
        )

    assert [200, *[404] * 7] == sorted(statuses)


def test_closing_ends_every_session(wire_client: WireClient) -> None:
    """Runtimes close, workspaces are removed; closing again does nothing; no new session can be opened."""
    ids = [wire_client.create(), wire_client.create()]
    wire_client.service.close()
    wire_client.service.close()

    assert all(wire_client.runtime(session_id).closed.is_set() for session_id in ids)
    assert {} == wire_client.service.sessions
    _assert_gone(wire_client, ids[0])
    response = wire_client.post("/sessions/create")
    assert (503, "shutting_down") == (response.status, response.code)


class _GatedExecutor(PlayedExecutor):
    """Opens a runtime only when the test allows it."""

    def __init__(self) -> None:
        super().__init__()
        self.opening = threading.Event()
        self.gate = threading.Event()

    def open(self, session_id: str, workspace: Workspace, limits: Limits, lifetime: float) -> PlayedRuntime:
        """Wait, then open."""
        self.opening.set()
        assert self.gate.wait(10)
        return super().open(session_id, workspace, limits, lifetime)


def test_a_session_that_opens_while_the_service_closes_is_ended() -> None:
    """Its creator gets a 503 shutting_down, and its files and processes are removed."""
    clock, executor = ManualClock(), _GatedExecutor()
    service = Service(executor, lambda _: MemoryWorkspace(clock), clock=clock, ids=lambda: "ses_1")
    wire_client = WireClient(service, clock, executor)
    with ThreadPoolExecutor(1) as pool:
        creating = pool.submit(wire_client.post, "/sessions/create")
        assert executor.opening.wait(10)
        service.close()
        executor.gate.set()

    assert 503 == creating.result().status
    assert executor.runtimes["ses_1"].closed.is_set()


class _FailingExecutor(PlayedExecutor):
    """Cannot open anything."""

    def open(self, session_id: str, workspace: Workspace, limits: Limits, lifetime: float) -> PlayedRuntime:
        """Fail."""
        raise RuntimeError("no sandbox")


def test_a_session_that_cannot_be_opened_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The 500 has the error, its workspace is removed, and it does not count as open."""
    clock, created = ManualClock(), []

    def workspaces(session_id: str) -> MemoryWorkspace:
        created.append(MemoryWorkspace(clock))
        return created[-1]

    service = Service(_FailingExecutor(), workspaces, clock=clock, plan="free")
    wire_client = WireClient(service, clock, PlayedExecutor())
    for _ in range(11):
        response = wire_client.post("/sessions/create")
        assert (500, "internal_error") == (response.status, response.code)
        assert "RuntimeError: no sandbox" in response.body["error"]["message"]

    with pytest.raises(WorkspaceGone):
        created[0].list()
    assert "no sandbox" in caplog.text


def test_a_failed_clean_up_is_logged(wire_client: WireClient, caplog: pytest.LogCaptureFixture) -> None:
    """The deleter gets its response, and the workspace is removed although the runtime failed."""
    session_id = wire_client.create()
    session = wire_client.service.sessions[session_id]

    class Broken(PlayedRuntime):
        def close(self) -> None:
            """Fail."""
            raise RuntimeError("will not die")

        def end_processes(self) -> None:
            """Fail too."""
            raise RuntimeError("will not sleep")

    session.runtime = Broken(session.workspace, session.limits, 1, wire_client.executor.script)
    wire_client.clock.advance(1800)
    assert "deep-sleep" == wire_client.get(f"/sessions/{session_id}").body["state"]
    assert 200 == wire_client.delete(f"/sessions/{session_id}").status
    assert "will not die" in caplog.text
    assert "will not sleep" in caplog.text
    with pytest.raises(WorkspaceGone):
        session.workspace.list()


def test_session_ids_can_be_chosen(make_wire_client: MakeWireClient) -> None:
    """A caller that needs the same ids every time passes a function."""
    ids = iter(["ses_1", "ses_2"])
    wire_client = make_wire_client(ids=lambda: next(ids))

    assert ["ses_1", "ses_2"] == [wire_client.create(), wire_client.create()]
