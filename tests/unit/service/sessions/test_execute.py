"""Executing code through the service."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from buntime.service.executors import Execution, Output
from tests.support.cases import in_one_test
from tests.support.executors import Item, PlayedRuntime, Silence, outcome, until_closed
from tests.support.wire_client import WireClient
from tests.unit.service.conftest import MakeWireClient


def test_execute_responds_as_documented(make_wire_client: MakeWireClient) -> None:
    """Every field, whole milliseconds, and any exit code."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield Output("stdout", "Sum: ")
        yield Output("stderr", "oh")
        yield Output("stdout", "15\n")
        yield outcome("Sum: 15\n", "oh", 3)

    wire_client = make_wire_client(script)

    response = wire_client.execute(wire_client.create())
    assert 200 == response.status
    assert {
        "stdout": "Sum: 15\n",
        "stderr": "oh",
        "exitCode": 3,
        "executionTime": 45,
        "memoryUsed": 12582912,
        "cpuTime": 42,
        "timedOut": False,
        "filesWritten": [],
    } == response.body


def test_the_executor_gets_the_fields_of_the_request(wire_client: WireClient) -> None:
    """Code or command, env, time limit, the working directory relative to the workspace, and the files."""
    session_id = wire_client.create()
    wire_client.service.sessions[session_id].workspace.write("a/b/c", b"")
    wire_client.execute(session_id, "let x = 1", env={"A": "1"}, timeout=7, workingDir="/workspace/a/b")
    wire_client.execute(session_id, None, command="ls")

    files = [{"path": "./f", "content": "x"}]
    wire_client.send(
        "POST", "/execute", {"sessionId": session_id, "code": "", "files": files, "stream": True}
    ).close()

    first, second, third = wire_client.runtime(session_id).executions
    assert Execution("let x = 1", None, {"A": "1"}, 7, "a/b", stream=False) == first
    assert Execution(None, "ls", {}, 30, stream=False) == second
    assert ({"f": "x"}, True) == (third.files, third.stream)


def test_the_time_limit_is_the_sessions_by_default(wire_client: WireClient) -> None:
    """resourceLimits.timeout applies if an execution has no timeout."""
    session_id = wire_client.create(resourceLimits={"timeout": 120})
    wire_client.execute(session_id)

    assert 120 == wire_client.runtime(session_id).executions[0].timeout


def test_reaching_the_time_limit_is_a_normal_result(make_wire_client: MakeWireClient) -> None:
    """timedOut, exit code 124, and the output until then."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield outcome("partial", exit_code=137, timed_out=True)

    wire_client = make_wire_client(script)
    response = wire_client.execute(wire_client.create())

    assert (200, True, 124) == (response.status, response.body["timedOut"], response.body["exitCode"])
    assert "partial" == response.body["stdout"]


@in_one_test(
    ("field", "fields"),
    [
        ("code", {"code": None}),
        ("code", {"command": "ls"}),
        ("code", {"code": 1}),
        ("code", {"code": "\ud800"}),
        ("command", {"code": None, "command": "a\0b"}),
        ("timeout", {"timeout": 0}),
        ("timeout", {"timeout": 301}),
        ("timeout", {"timeout": 1.5}),
        ("env", {"env": []}),
        ("env", {"env": {f"V{number}": "" for number in range(101)}}),
        ("env", {"env": {"A": "\ud800"}}),
        ("env.A", {"env": {"A": 1}}),
        ("env.A", {"env": {"A": "x\0y"}}),
        ("env.A=B", {"env": {"A=B": ""}}),
        ("env.", {"env": {"": ""}}),
        ("stream", {"stream": "yes"}),
        ("workingDir", {"workingDir": 1}),
        ("workingDir", {"workingDir": "missing"}),
        ("workingDir", {"workingDir": "file"}),
        ("workingDir", {"workingDir": "../x"}),
        ("workingDir", {"workingDir": "/tmp"}),
        ("files", {"files": {}}),
        ("files", {"files": [{"path": str(number), "content": ""} for number in range(1001)]}),
        ("files[1]", {"files": [{"path": "a", "content": ""}, "b"]}),
        ("files[0].path", {"files": [{"content": ""}]}),
        ("files[0].content", {"files": [{"path": "a"}]}),
        ("files[0].content", {"files": [{"path": "a", "content": 1}]}),
        ("files[1].path", {"files": [{"path": "new", "content": ""}, {"path": "../x", "content": ""}]}),
        ("files", {"files": [{"path": "new", "content": ""}, {"path": "file/x", "content": ""}]}),
        ("files", {"files": [{"path": "new", "content": ""}, {"path": "", "content": ""}]}),
    ],
)
def test_an_invalid_execution_is_rejected_completely(
    wire_client: WireClient, field: str, fields: dict[str, Any]
) -> None:
    """A 400 with the field; nothing was executed and no file written."""
    session_id = wire_client.create()
    workspace = wire_client.service.sessions[session_id].workspace
    workspace.write("file", b"")

    response = wire_client.execute(session_id, **{"code": "1", **fields})

    assert (400, "invalid_request") == (response.status, response.code)
    assert field == response.details["field"]
    assert [] == wire_client.runtime(session_id).executions
    assert ["file"] == [entry.path for entry in workspace.list()]


def test_files_are_written_first(make_wire_client: MakeWireClient) -> None:
    """The code sees them, in folders that did not exist, one of which can be its working directory."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield outcome(runtime.workspace.read("data/in.csv").decode() + execution.working_dir)

    wire_client = make_wire_client(script)
    files = [{"path": "/workspace/data/in.csv", "content": "äöü "}]

    response = wire_client.execute(wire_client.create(), files=files, workingDir="data")
    assert "äöü data" == response.body["stdout"]


def test_files_written_are_those_of_the_execution(make_wire_client: MakeWireClient) -> None:
    """Sorted; a file of the request is among them only if the code changed it."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        for path in ("z.txt", "a/b.txt", "given2", "node_modules/x", ".buntime/log"):
            runtime.workspace.write(path, b"new")
        yield outcome()

    wire_client = make_wire_client(script)
    files = [{"path": "given1", "content": ""}, {"path": "given2", "content": ""}]

    response = wire_client.execute(wire_client.create(), files=files)
    assert ["a/b.txt", "given2", "z.txt"] == response.body["filesWritten"]


def test_a_running_execution_keeps_its_session_awake(make_wire_client: MakeWireClient) -> None:
    """Its session is active while it runs, and was last active when it ended."""
    wire_client = make_wire_client(until_closed)
    session_id = wire_client.create()
    states = []
    with wire_client.send(
        "POST", "/execute", {"sessionId": session_id, "code": "1", "timeout": 300, "stream": True}
    ):
        for _ in range(2):
            wire_client.clock.advance(299)
            states.append(wire_client.get(f"/sessions/{session_id}").body["state"])

    info = wire_client.get(f"/sessions/{session_id}").body
    assert ["active", "idle"] == states
    assert ("active", "2024-01-19T10:39:58Z") == (info["state"], info["lastActive"])


def test_a_caller_with_a_shorter_timeout_gets_an_error(make_wire_client: MakeWireClient) -> None:
    """The executor receives the caller's timeout; its TimeoutError is passed on."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        yield Silence()

    wire_client = make_wire_client(script)
    session_id = wire_client.create()

    with pytest.raises(TimeoutError):
        wire_client.send("POST", "/execute", {"sessionId": session_id, "code": "1"}, read_timeout=2.5)
    assert [2.5] == wire_client.runtime(session_id).timeouts


def test_output_does_not_extend_the_callers_timeout(make_wire_client: MakeWireClient) -> None:
    """An unstreamed response is late although the execution prints."""

    def script(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        for _ in range(10):
            wire_client.clock.advance(1)
            yield Output("stdout", ".")
        yield outcome()

    wire_client = make_wire_client(script)
    session_id = wire_client.create()
    body = {"sessionId": session_id, "code": "1"}

    with pytest.raises(TimeoutError):
        wire_client.send("POST", "/execute", body, read_timeout=5.0)
    assert 200 == wire_client.send("POST", "/execute", body, read_timeout=11.0).status


def test_kill_responds_as_documented(wire_client: WireClient) -> None:
    """One pid, or all; an unknown pid ends nothing."""
    session_id = wire_client.create()
    wire_client.runtime(session_id).pids = [7, 8, 9]

    responses = [
        wire_client.post("/execution/kill", {"sessionId": session_id, **fields}).body
        for fields in ({"pid": 8}, {"pid": 8}, {}, {"pid": None})
    ]
    assert [
        {"killed": 1, "pids": [8]},
        {"killed": 0, "pids": []},
        {"killed": 2, "pids": [7, 9]},
        {"killed": 0, "pids": []},
    ] == responses


@in_one_test("pid", [0, -1, "7", 1.5, True])
def test_kill_requires_a_positive_pid(wire_client: WireClient, pid: object) -> None:
    """Anything else is 400."""
    response = wire_client.post("/execution/kill", {"sessionId": wire_client.create(), "pid": pid})

    assert (400, "pid") == (response.status, response.details["field"])
