"""Each helper of the client had the service walk the workspace twice, for a list that the client ignores."""

from __future__ import annotations

from buntime.service.sessions.app import Service
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support.clocks import ManualClock
from tests.support.executors import PlayedExecutor
from tests.support.wire_client import WireClient


class _CountingWorkspace(MemoryWorkspace):
    """Counts its snapshots, each of which is a walk on a disk."""

    snapshots = 0

    def snapshot(self) -> dict[str, object]:
        """Count."""
        self.snapshots += 1
        return super().snapshot()


def test_only_other_executions_compare_the_workspace() -> None:
    """They report the files that they wrote."""
    clock, executor = ManualClock(), PlayedExecutor()
    workspace = _CountingWorkspace(clock)
    client = WireClient(Service(executor, lambda _: workspace, clock=clock), clock, executor)
    session_id = client.create()

    helper = client.execute(session_id, '// buntime:helper {"op": "ping"}\n1')
    assert (0, []) == (workspace.snapshots, helper.body["filesWritten"])
    client.execute(session_id, "1")
    assert 2 == workspace.snapshots
    client.service.close()
