"""Many concurrent callers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from buntime.service.executors import Execution, ExecutionOutcome
from buntime.service.sessions.app import Service
from buntime.service.workspace.base import WorkspaceGone
from buntime.service.workspace.disk import DiskWorkspace
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support.clocks import ManualClock
from tests.support.executors import Item, PlayedExecutor, PlayedItems, PlayedRuntime, outcome, until_closed
from tests.support.wire_client import WireClient
from tests.unit.service.conftest import MakeWireClient


def test_executions_run_concurrently(make_wire_client: MakeWireClient) -> None:
    """In one session and in several: no execution waits for another to end."""
    everyone = threading.Barrier(12)

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        everyone.wait(60)
        yield outcome(execution.code or "")

    wire_client = make_wire_client(script)
    ids = [wire_client.create() for _ in range(3)]
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(wire_client.execute, ids[number % 3], str(number)) for number in range(12)]

    assert [str(number) for number in range(12)] == [call.result().body["stdout"] for call in calls]


def test_other_requests_succeed_while_an_execution_runs(make_wire_client: MakeWireClient) -> None:
    """Files, info, kill and other sessions respond immediately."""
    wire_client = make_wire_client(until_closed)
    session_id = wire_client.create()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(wire_client.execute, session_id)
        assert wire_client.runtime(session_id).running.wait(10)

        assert 200 == wire_client.post("/files/write", _file(session_id)).status
        assert 200 == wire_client.get("/files/read", sessionId=session_id, path="a").status
        assert "active" == wire_client.get(f"/sessions/{session_id}").body["state"]
        assert 200 == wire_client.post("/execution/kill", {"sessionId": session_id}).status
        wire_client.create()
        wire_client.service.close()
    assert 137 == running.result().body["exitCode"]


def _file(session_id: str) -> dict[str, str]:
    return {"sessionId": session_id, "path": "a", "content": "1"}


def test_a_delete_ends_a_running_execution_cleanly_for_both(tmp_path: Path) -> None:
    """The execution's caller gets a killed result, the deleter its response; the folder is gone."""
    clock, executor = ManualClock(), PlayedExecutor(until_closed)
    service = Service(executor, lambda _: DiskWorkspace(tmp_path / "root"), clock=clock)
    wire_client = WireClient(service, clock, executor)
    (tmp_path / "root").mkdir()
    session_id = wire_client.create()
    stream = wire_client.send("POST", "/execute", {"sessionId": session_id, "code": "1", "stream": True})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(wire_client.execute, session_id)
        assert wire_client.runtime(session_id).running.wait(10)
        wire_client.post("/files/write", _file(session_id))
        deleted = wire_client.delete(f"/sessions/{session_id}")

    result = running.result()
    assert (200, 137, []) == (result.status, result.body["exitCode"], result.body["filesWritten"])
    assert {"deleted": True, "sessionId": session_id} == deleted.body
    *_, last = list(stream.chunks)
    assert 137 == json.loads(last.decode().split("data: ")[1])["exitCode"]
    assert not (tmp_path / "root").exists()
    service.close()


def test_an_execution_in_a_deleted_session_is_not_found(make_wire_client: MakeWireClient) -> None:
    """404 if a session is deleted between its lookup and its use, whatever error that causes."""

    class Vanishing(PlayedRuntime):
        def run(self, execution: Execution, *, timeout: float | None = None) -> PlayedItems:
            """Delete the session, and fail."""
            wire_client.delete(f"/sessions/{session_id}")
            raise RuntimeError("closed")

    wire_client = make_wire_client()
    session_id = wire_client.create()
    session = wire_client.service.sessions[session_id]
    session.runtime = Vanishing(session.workspace, session.limits, 1, wire_client.executor.script)

    response = wire_client.execute(session_id)
    assert (404, "session_not_found") == (response.status, response.code)


@pytest.mark.parametrize("error", [WorkspaceGone(), FileNotFoundError("half removed")])
def test_a_file_in_a_deleted_session_is_not_found(error: Exception) -> None:
    """So is a write whose session is being deleted, at any stage of the removal."""

    class Vanishing(MemoryWorkspace):
        def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
            """Delete the session, and fail."""
            wire_client.delete(f"/sessions/{session_id}")
            raise error

    clock, executor = ManualClock(), PlayedExecutor()
    wire_client = WireClient(Service(executor, lambda _: Vanishing(clock), clock=clock), clock, executor)
    session_id = wire_client.create()

    response = wire_client.post("/files/write", _file(session_id))
    assert (404, "session_not_found") == (response.status, response.code)


def test_a_stream_can_be_dropped(make_wire_client: MakeWireClient) -> None:
    """Closing it, read or not, only ends the wait: the execution is neither killed nor lost."""
    ended: list[ExecutionOutcome] = []

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield outcome("1")
        ended.append(outcome("2"))

    wire_client = make_wire_client(script)
    session_id = wire_client.create()
    body = {"sessionId": session_id, "code": "1", "stream": True}
    wire_client.send("POST", "/execute", body).close()
    response = wire_client.send("POST", "/execute", body)
    next(response.chunks)
    response.close()
    response.close()

    assert not wire_client.runtime(session_id).closed.is_set()
    assert 200 == wire_client.execute(session_id).status


def test_many_callers_on_one_disk_workspace(tmp_path: Path) -> None:
    """Concurrent writes of one file leave one of the contents complete, and no other file."""
    (tmp_path / "root").mkdir()
    clock, executor = ManualClock(), PlayedExecutor()
    service = Service(executor, lambda _: DiskWorkspace(tmp_path / "root"), clock=clock)
    wire_client = WireClient(service, clock, executor)
    session_id = wire_client.create()
    contents = [str(number) * 10_000 for number in range(10)]

    def write(content: str) -> int:
        body = {"sessionId": session_id, "path": "a/b", "content": content}
        return wire_client.post("/files/write", body).status

    with ThreadPoolExecutor(10) as pool:
        assert {200} == set(pool.map(write, contents * 5))

    assert wire_client.get("/files/read", sessionId=session_id, path="a/b").body["content"] in contents
    assert ["a"] == [entry.name for entry in (tmp_path / "root").iterdir()]
    service.close()
