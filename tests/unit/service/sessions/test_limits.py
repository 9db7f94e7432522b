"""The limits of plans, and their errors."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from buntime.service.executors import MB, Execution
from buntime.service.sessions.app import Service
from buntime.service.sessions.limits import plan_named
from buntime.service.workspace.memory import MemoryWorkspace
from buntime.service.workspace.quota import DiskQuota
from tests.support.clocks import ManualClock
from tests.support.executors import Item, PlayedExecutor, PlayedRuntime, outcome
from tests.support.wire_client import BufferedResponse, WireClient
from tests.unit.service.conftest import MakeWireClient


def _assert_over(response: BufferedResponse, limit: str, highest: Any, value: Any, plan: str) -> None:
    assert (403, "plan_limit") == (response.status, response.code)
    visible = {name: response.details[name] for name in ("limit", "max", "value", "plan")}
    assert {"limit": limit, "max": highest, "value": value, "plan": plan} == visible
    assert plan in response.body["error"]["message"]


def test_an_unknown_plan_is_an_error() -> None:
    """ValueError names the existing plans."""
    with pytest.raises(ValueError, match="free, paid, enterprise"):
        Service(PlayedExecutor(), lambda _: MemoryWorkspace(ManualClock()), plan="gold")


@pytest.mark.parametrize(("plan", "highest"), [("free", 86400), ("paid", 604800), ("enterprise", 604800)])
def test_max_ttl(make_wire_client: MakeWireClient, plan: str, highest: int) -> None:
    """The plan's longest lifetime is allowed, a second more is not."""
    wire_client = make_wire_client(plan=plan)

    wire_client.create(ttl=highest)
    _assert_over(
        wire_client.post("/sessions/create", {"ttl": highest + 1}), "max_ttl", highest, highest + 1, plan
    )


def test_resource_overrides(make_wire_client: MakeWireClient) -> None:
    """The free plan allows none, paid ones do."""
    wire_client = make_wire_client(plan="free")
    wire_client.create(resourceLimits={})
    response = wire_client.post("/sessions/create", {"resourceLimits": {"memory": 512}})
    _assert_over(response, "resource_overrides", False, True, "free")

    make_wire_client(plan="paid").create(resourceLimits={"memory": 512})


def test_memory_per_execution(make_wire_client: MakeWireClient) -> None:
    """A session cannot have more memory than an execution may use."""
    response = make_wire_client(plan="paid").post("/sessions/create", {"resourceLimits": {"memory": 4097}})

    _assert_over(response, "memory_per_execution", 4096, 4097, "paid")


@pytest.mark.parametrize(("plan", "highest"), [("free", 30), ("paid", 300)])
def test_execution_timeout(make_wire_client: MakeWireClient, plan: str, highest: int) -> None:
    """The longest time is allowed, a second more is not, and nothing runs."""
    wire_client = make_wire_client(plan=plan)
    session_id = wire_client.create()

    assert 200 == wire_client.execute(session_id, timeout=highest).status
    response = wire_client.execute(session_id, timeout=highest + 1)
    _assert_over(response, "execution_timeout", highest, highest + 1, plan)
    assert 1 == len(wire_client.runtime(session_id).executions)


@pytest.mark.parametrize(("plan", "highest"), [("free", 100), ("paid", 500)])
def test_env_variables(make_wire_client: MakeWireClient, plan: str, highest: int) -> None:
    """At most as many as the plan allows."""
    wire_client = make_wire_client(plan=plan)
    session_id = wire_client.create()
    env = {f"V{number}": "" for number in range(highest)}

    assert 200 == wire_client.execute(session_id, env=env).status
    response = wire_client.execute(session_id, env={**env, "ONE_MORE": ""})
    _assert_over(response, "env_variables", highest, highest + 1, plan)


@pytest.mark.parametrize(("plan", "highest"), [("free", 100), ("paid", 1000)])
def test_files_per_request(make_wire_client: MakeWireClient, plan: str, highest: int) -> None:
    """At most as many as the plan allows; of too many, none is written."""
    wire_client = make_wire_client(plan=plan)
    session_id = wire_client.create()
    files = [{"path": str(number), "content": ""} for number in range(highest + 1)]

    response = wire_client.execute(session_id, files=files)
    _assert_over(response, "files_per_request", highest, highest + 1, plan)
    assert 0 == wire_client.get(f"/sessions/{session_id}").body["filesCount"]
    assert 200 == wire_client.execute(session_id, files=files[:-1]).status


@pytest.mark.parametrize(("plan", "highest"), [("free", 10 * MB), ("paid", 50 * MB), (None, 50 * MB)])
def test_file_size(make_wire_client: MakeWireClient, plan: str, highest: int) -> None:
    """413 for a file above the limit, written either way; at the limit it is written."""
    wire_client = make_wire_client(plan=plan)
    session_id = wire_client.create()
    content = "x" * (highest + 1)

    rejected = [
        wire_client.post("/files/write", {"sessionId": session_id, "path": "a", "content": content}),
        wire_client.execute(session_id, files=[{"path": "a", "content": content}]),
    ]
    for response in rejected:
        assert (413, "file_too_large") == (response.status, response.code)
        expected = {"path": "a", "limit": "file_size", "max": highest, "value": highest + 1, "plan": plan}
        assert expected == response.details
    body = {"sessionId": session_id, "path": "a", "content": content[:-1]}
    assert highest == wire_client.post("/files/write", body).body["size"]


def test_a_file_too_large_to_return(make_wire_client: MakeWireClient) -> None:
    """A file that an execution wrote beyond the limit is not read either."""
    wire_client = make_wire_client(plan="free")
    session_id = wire_client.create()
    wire_client.service.sessions[session_id].workspace.write("huge", b"x" * (10 * MB + 1))

    response = wire_client.get("/files/read", sessionId=session_id, path="huge")

    assert (413, "file_too_large", 10 * MB + 1) == (response.status, response.code, response.details["value"])


def test_disk(wire_client: WireClient) -> None:
    """507 for files that do not fit on the session's disk; overwritten content does not count."""
    session_id = wire_client.create()
    session = wire_client.service.sessions[session_id]
    session.disk = DiskQuota(session.workspace, 1)
    body = {"sessionId": session_id, "path": "a", "content": "x" * (MB - 10)}

    assert [200, 200] == [wire_client.post("/files/write", body).status for _ in range(2)]
    for response in (
        wire_client.post("/files/write", {**body, "path": "b", "content": "x" * 11}),
        wire_client.execute(session_id, files=[{"path": "b", "content": "x" * 11}]),
    ):
        assert (507, "disk_full") == (response.status, response.code)
        assert {"limit": "disk", "max": MB, "value": MB + 1} == response.details
    assert ["a"] == [entry.path for entry in session.workspace.list()]


def test_disk_includes_files_of_executions(make_wire_client: MakeWireClient) -> None:
    """The workspace is measured again after an execution."""

    def fill(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
        runtime.workspace.write("big", bytes(MB))
        yield outcome()

    wire_client = make_wire_client(fill)
    session_id = wire_client.create()
    session = wire_client.service.sessions[session_id]
    session.disk = DiskQuota(session.workspace, 1)
    wire_client.execute(session_id)

    response = wire_client.post("/files/write", {"sessionId": session_id, "path": "a", "content": "x"})
    assert (507, MB + 1) == (response.status, response.details["value"])


def test_plans_differ_in_disk(make_wire_client: MakeWireClient) -> None:
    """1 GB free, 5 GB paid."""
    sizes = [
        make_wire_client(plan=plan).post("/sessions/create").body["resourceLimits"]["disk"]
        for plan in ("free", "paid")
    ]

    assert [1024, 5120] == sizes


def test_concurrent_sessions(make_wire_client: MakeWireClient) -> None:
    """403 for one more than the plan allows; a deleted or expired session no longer counts."""
    wire_client = make_wire_client(plan="free")
    ids = [wire_client.create(ttl=300) for _ in range(10)]

    response = wire_client.post("/sessions/create")
    assert (403, "concurrent_session_limit") == (response.status, response.code)
    assert {"limit": "concurrent_sessions", "max": 10, "value": 11, "plan": "free"} == response.details
    wire_client.delete(f"/sessions/{ids[0]}")
    wire_client.create(ttl=600)
    wire_client.clock.advance(300)
    for _ in range(9):
        wire_client.create()
    assert 10 == len(wire_client.service.sessions)


def test_concurrent_creates_never_exceed_the_limit(make_wire_client: MakeWireClient) -> None:
    """Of 20 concurrent ones, 10 succeed."""
    wire_client = make_wire_client(plan="free")
    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(lambda _: wire_client.post("/sessions/create").status, range(20)))

    assert [200] * 10 + [403] * 10 == sorted(statuses)


def test_every_response_has_the_number_of_remaining_requests(make_wire_client: MakeWireClient) -> None:
    """Limit, remainder, and the next start in Unix seconds; also with errors and streams."""
    wire_client = make_wire_client(plan="free")
    first = wire_client.post("/sessions/create")
    wire_client.clock.advance(20)
    second = wire_client.get("/nothing")
    stream = wire_client.send(
        "POST", "/execute", {"sessionId": first.body["sessionId"], "code": "1", "stream": True}
    )

    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    visible = [[response.headers[name] for name in names] for response in (first, second, stream)]
    end = str(1_705_660_200 + 60)
    assert [["100", "99", end], ["100", "98", end], ["100", "97", end]] == visible
    assert b"event: result" in stream.read()


def test_too_many_requests_are_rejected_until_the_minute_is_over(make_wire_client: MakeWireClient) -> None:
    """429 with Retry-After; after that time requests pass again."""
    wire_client = make_wire_client(plan="free")
    for _ in range(100):
        assert 404 == wire_client.get("/nothing").status
    wire_client.clock.advance(12.5)

    response = wire_client.get("/nothing")
    assert (429, "rate_limit_exceeded") == (response.status, response.code)
    assert ("48", "0") == (response.headers["Retry-After"], response.headers["X-RateLimit-Remaining"])
    assert {"limit": "requests_per_minute", "max": 100, "value": 101, "plan": "free"} == response.details
    wire_client.clock.advance(48)
    assert 404 == wire_client.get("/nothing").status


@pytest.mark.parametrize("plan", [None, "enterprise"])
def test_no_quota(make_wire_client: MakeWireClient, plan: str) -> None:
    """Without a plan, and on enterprise, neither requests nor sessions are counted."""
    wire_client = make_wire_client(plan=plan)
    for _ in range(101):
        wire_client.create()

    assert "X-RateLimit-Limit" not in wire_client.get("/nothing").headers


def test_published_limits_are_unchanged() -> None:
    """The numbers of the limits page."""
    free, paid = plan_named("free"), plan_named("paid")

    assert (100, 10) == (free.requests_per_minute, free.concurrent_sessions)
    assert (1000, 100) == (paid.requests_per_minute, paid.concurrent_sessions)
    assert (1024, 4096) == (free.memory_per_execution, paid.memory_per_execution)
