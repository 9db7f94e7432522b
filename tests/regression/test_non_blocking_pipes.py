"""Under gevent's monkey patching the pipes of a session did not block, and its first calls failed."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from buntime import Buntime
from buntime.transport import LocalTransport


class NonBlockingPopen(subprocess.Popen[bytes]):
    """A process with non-blocking pipes, like gevent's."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for pipe in (self.stdin, self.stdout):
            if pipe is not None:
                os.set_blocking(pipe.fileno(), False)


@pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")
def test_concurrent_first_calls_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Concurrent first calls wait until the supervisor reads, then run."""
    transport = LocalTransport(isolation="none")
    monkeypatch.setattr(subprocess, "Popen", NonBlockingPopen)
    code = f"console.log('{'x' * 300_000}'.length)"
    client = Buntime(transport=transport, max_retries=0)
    with client, client.sessions.create() as session, ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda _: session.execute(code), range(6)))

    assert ["300000\n"] * 6 == [result.stdout for result in results], results
