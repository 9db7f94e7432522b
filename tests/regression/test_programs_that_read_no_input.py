"""Programs that did not read their code kept the other executions of the session from starting."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from buntime import Buntime, ExecuteResult
from buntime.transport import LocalTransport

_LONG = f"console.log('{'x' * 300_000}'.length)"  # more than a pipe holds


@pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")
@pytest.mark.parametrize("isolation", ["none", "required"])
def test_other_executions_start(isolation: Any) -> None:
    """Any number of programs may leave their code unread; another execution starts and ends beside them."""
    waits = {"BUN_OPTIONS": "--eval=while(!require('fs').existsSync('go'))Bun.sleepSync(10)"}
    several = 2 * (os.cpu_count() or 1) + 2
    with (
        Buntime(transport=LocalTransport(isolation=isolation), max_retries=0) as client,
        client.sessions.create() as session,
        ThreadPoolExecutor(several) as threads,
    ):
        waiting = [threads.submit(session.execute, _LONG, env=waits, timeout=20) for _ in range(several)]
        large = session.execute(
            "console.log(process.env.LONG.length)", env={"LONG": "x" * 100_000}, timeout=10
        )
        session.execute(command="touch go", timeout=10)
        results = [each.result() for each in waiting]

    assert ("100000\n", 0, False) == _summary(large), large
    assert [("", 0, False)] * several == [_summary(each) for each in results], results


def _summary(result: ExecuteResult) -> tuple[object, ...]:
    return result.stdout, result.exit_code, result.timed_out
