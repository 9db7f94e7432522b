"""The shell that launched a short command could reap it, so that its exit was never noticed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from buntime import Buntime
from buntime.transport import LocalTransport


@pytest.fixture
def _busy_machine() -> Iterator[None]:
    """Keep both cores busy, so that a killed shell is not scheduled immediately."""
    with ExitStack() as stack:
        for _ in range(3):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield


@pytest.mark.usefixtures("_busy_machine")
def test_the_exit_of_every_short_command_is_noticed() -> None:
    """Of many short commands on a busy machine, none reaches its time limit."""
    client = Buntime(transport=LocalTransport(isolation="none"), max_retries=0)
    with client, client.sessions.create(ttl=300) as session:
        results = [session.execute(command="exit 4", timeout=20) for _ in range(100)]
    assert [(4, False)] * 100 == [(result.exit_code, result.timed_out) for result in results]
