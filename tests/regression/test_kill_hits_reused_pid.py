"""Killing a process from before a session's sleep killed the process that had reused its number."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime
from buntime.service.machine.executor import BunExecutor
from buntime.service.sessions.app import Service
from buntime.service.workspace.disk import DiskWorkspace
from buntime.transport import FunctionTransport
from tests.support.clocks import ManualClock

LEAVES = "read -r _ _ _ _ group _ </proc/self/stat; echo $group; sleep 1000 >/dev/null 2>&1 &"
STATE = ".buntime/processes/1/state"


@pytest.fixture
def clock() -> ManualClock:
    """Return the clock of the service."""
    return ManualClock()


@pytest.fixture
def client(tmp_path: Path, clock: ManualClock) -> Iterator[Buntime]:
    """Return a client of a service with one sandbox."""
    service = Service(BunExecutor(), lambda _: DiskWorkspace(tmp_path), clock=clock)
    with Buntime(transport=FunctionTransport(service.handle), max_retries=0) as client:
        yield client
    service.close()


def test_a_newer_process_survives(client: Buntime, clock: ManualClock, tmp_path: Path) -> None:
    """A process that ended with an earlier sandbox does not exist in the current one."""
    session = client.sessions.create()
    process = session.start("setInterval(() => {}, 1000)")
    clock.advance(31 * 60)
    assert "deep-sleep" == session.info().state
    group = int(session.execute(command=LEAVES, check=True).stdout)
    state = json.loads((tmp_path / STATE).read_text())
    state["program"]["pid"] = group
    (tmp_path / STATE).write_text(json.dumps(state))
    process.kill()
    assert 137 == process.exit_code
    assert 1 == session.info().active_processes
