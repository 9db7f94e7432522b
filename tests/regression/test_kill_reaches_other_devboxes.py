"""Without isolation, ``kill_all`` of a devbox killed the programs of every other devbox of the machine."""

from __future__ import annotations

import sys

import pytest

from buntime.runloop import RunloopSDK
from buntime.transport import LocalTransport

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found by /proc")


def test_a_kill_reaches_one_devbox_only() -> None:
    """The programs of the other one are neither counted nor killed."""
    with RunloopSDK(transport=LocalTransport(isolation="none"), max_retries=0) as runloop:
        one, other = (runloop.devbox.create().as_session() for _ in range(2))
        process = other.start(command="exec sleep 1000")
        assert (0, 1) == (one.info().active_processes, other.info().active_processes)
        assert () == one.kill(process.pid).pids == one.kill_all().pids
        assert process.running()
        assert (process.pid,) == other.kill_all().pids
