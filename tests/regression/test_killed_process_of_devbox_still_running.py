"""A background process of a devbox could be reported as running after ``kill_all``, which had killed it."""

from __future__ import annotations

import json
import sys

import pytest

from buntime.runloop import RunloopSDK
from buntime.runloop.session_requests import WORKSPACE
from buntime.transport import LocalTransport
from tests.support.cases import in_one_test

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")


@in_one_test("one", [False, True])
def test_killing_waits_until_the_end_is_recorded(one: bool) -> None:
    """Its watcher, which records the end, is not killed, and may be slow."""
    with RunloopSDK(transport=LocalTransport(), max_retries=0) as runloop:
        devbox = runloop.devbox.create()
        session = devbox.as_session()
        process = session.start(command="exec sleep 1000")
        state = json.loads(devbox.file.read(file_path=f"{WORKSPACE}/.buntime/processes/1/state"))
        watcher = state["watcher"]["pid"]
        devbox.cmd.exec(f"kill -STOP {watcher}")
        devbox.cmd.exec_async(f"sleep 0.5; kill -CONT {watcher}")
        assert (process.pid,) == (session.kill(process.pid) if one else session.kill_all()).pids
        assert (False, 137) == (process.running(), process.exit_code)
