"""Each request visited every session and cleaned up every expired one; a recursive list was quadratic."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Callable

from buntime import Buntime
from buntime.service.sessions.app import Service
from buntime.service.workspace.memory import MemoryWorkspace
from buntime.transport import FakeTransport
from tests.support.clocks import ManualClock
from tests.support.executors import PlayedExecutor
from tests.support.wire_client import WireClient


def _function_calls(act: Callable[[], object]) -> int:
    """Return how many Python functions ``act`` calls."""
    count = 0

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    previous = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(previous)
    return count


def _with_sessions(number: int) -> WireClient:
    clock, executor = ManualClock(), PlayedExecutor()
    client = WireClient(Service(executor, lambda _: MemoryWorkspace(clock), clock=clock), clock, executor)
    for _ in range(number):
        client.create(ttl=3600)
    return client


def test_a_request_costs_the_same_beside_many_sessions() -> None:
    """The number of clock reads and function calls does not depend on other sessions."""
    costs = []
    for number in (10, 500):
        client = _with_sessions(number)
        session_id = client.create()
        costs.append(_function_calls(lambda: client.get(f"/sessions/{session_id}")))  # noqa: B023  # called in the same iteration
        client.service.close()
    assert costs[0] == costs[1]


def test_a_request_cleans_up_a_few_expired_sessions() -> None:
    """Further requests clean up the others; none of them can be used meanwhile."""
    client = _with_sessions(20)
    client.clock.advance(3600)
    assert {} == client.service.sessions
    ended = []
    for _ in range(10):
        assert 404 == client.get("/sessions/ses_none").status
        ended.append(sum(runtime.closed.is_set() for runtime in client.executor.runtimes.values()))
    assert [2, 4, 6] == ended[:3]
    assert 20 == ended[-1]


def test_closing_ends_expired_sessions_too() -> None:
    """Closing also ends sessions that no request has cleaned up."""
    client = _with_sessions(20)
    client.clock.advance(3600)
    client.get("/sessions/ses_none")
    client.service.close()
    assert all(runtime.closed.is_set() for runtime in client.executor.runtimes.values())


def test_a_session_sleeps_after_each_30_minutes_of_inactivity() -> None:
    """This also applies after it was woken."""
    client = _with_sessions(0)
    session_id = client.create()
    for number in range(3):
        client.clock.advance(1000)
        assert 200 == client.execute(session_id).status
        client.clock.advance(1799)
        client.get("/sessions/ses_none")
        assert number == client.runtime(session_id).put_to_sleep
        client.clock.advance(1)
        client.get("/sessions/ses_none")
        assert number + 1 == client.runtime(session_id).put_to_sleep
    client.service.close()


def test_a_recursive_list_of_the_fake_is_linear() -> None:
    """Twice the folders take about twice the function calls."""
    costs = []
    for number in (100, 200):
        with Buntime(transport=FakeTransport()) as client, client.sessions.create() as session:
            for index in range(number):
                session.files.write(f"folder{index}/file.txt", "")
            costs.append(_function_calls(lambda: session.files.list("", recursive=True)))
    assert costs[1] < 2.5 * costs[0]
