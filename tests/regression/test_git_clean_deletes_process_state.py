"""``git status`` showed the state of background processes, and ``git clean`` deleted it."""

from __future__ import annotations

import shutil
import sys

import pytest

from buntime import Buntime
from buntime.transport import LocalTransport

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS"),
    pytest.mark.skipif(not shutil.which("git", path="/usr/bin:/bin"), reason="the system has no git"),
]


def test_git_ignores_process_state() -> None:
    """Git ignores the state, and a process can be controlled after the workspace was cleaned."""
    transport = LocalTransport(isolation="none")
    with Buntime(transport=transport, max_retries=0) as client, client.sessions.create() as session:
        session.execute(command="git init -q . && echo 1 > a.txt", check=True)
        process = session.start(command="echo on; exec sleep 1000")

        assert "?? a.txt\n" == session.execute(command="git status --porcelain", check=True).stdout
        session.execute(command="git clean -qfdx", check=True)

        assert not session.files.exists("a.txt")
        assert process.running()
        assert [process.number] == [known.number for known in session.processes()]
        assert 2 == session.start(command="exec sleep 1000").number
        assert "" == session.execute(command="git status --porcelain", check=True).stdout
        process.kill()
        assert 137 == process.wait(20)
