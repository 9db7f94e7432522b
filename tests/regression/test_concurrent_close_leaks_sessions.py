"""Concurrent ``close()`` calls leaked sessions: the second closed the transport under the first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

from buntime import Buntime
from buntime.transport import FakeTransport, Request, Response


class _SlowFake(FakeTransport):
    """A fake whose first deletion blocks until the test continues."""

    def __init__(self) -> None:
        super().__init__()
        self.deleting, self.go_on = threading.Event(), threading.Event()

    def send(self, request: Request, /) -> Response:
        if request.method == "DELETE" and not self.deleting.is_set():
            self.deleting.set()
            assert self.go_on.wait(30)
        return super().send(request)


class _SignallingLock:
    """A lock that signals each attempt to acquire it."""

    def __init__(self, lock: AbstractContextManager[Any], attempts: threading.Semaphore) -> None:
        self._lock = lock
        self._comes = attempts

    def __enter__(self) -> None:
        self._comes.release()
        self._lock.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._lock.__exit__(*error)


def test_every_session_is_deleted() -> None:
    """The second call waits for the first, and neither fails."""
    transport = _SlowFake()
    client = Buntime(transport=transport, delete_on_close=True)
    for _ in range(3):
        client.sessions.create()
    attempts = threading.Semaphore(0)
    vars(client)["_closing"] = _SignallingLock(client._closing, attempts)
    with ThreadPoolExecutor(2) as threads:
        closing = [threads.submit(client.close)]
        assert transport.deleting.wait(30)
        closing.append(threads.submit(client.close))
        both_attempted = attempts.acquire(timeout=30) and attempts.acquire(timeout=30)
        transport.go_on.set()
        assert [None, None] == [call.result() for call in closing]
    assert both_attempted
    assert 3 == sum(call.method == "DELETE" for call in transport.calls)
