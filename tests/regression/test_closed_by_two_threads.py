"""A client closed by two threads at once left sessions: the second closed the transport under the first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

from buntime import Buntime
from buntime.transport import FakeTransport, Request, Response


class _Slow(FakeTransport):
    """A fake whose first deletion takes until the test goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.deleting, self.go_on = threading.Event(), threading.Event()

    def send(self, request: Request, /) -> Response:
        if request.method == "DELETE" and not self.deleting.is_set():
            self.deleting.set()
            assert self.go_on.wait(30)
        return super().send(request)


class _Noticing:
    """A lock that says when somebody comes to it."""

    def __init__(self, lock: AbstractContextManager[Any], comes: threading.Semaphore) -> None:
        self._lock = lock
        self._comes = comes

    def __enter__(self) -> None:
        self._comes.release()
        self._lock.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._lock.__exit__(*error)


def test_every_session_is_deleted() -> None:
    """The second call waits for the first, and neither fails."""
    transport = _Slow()
    client = Buntime(transport=transport, delete_on_close=True)
    for _ in range(3):
        client.sessions.create()
    comes = threading.Semaphore(0)
    vars(client)["_closing"] = _Noticing(client._closing, comes)
    with ThreadPoolExecutor(2) as threads:
        closing = [threads.submit(client.close)]
        assert transport.deleting.wait(30)
        closing.append(threads.submit(client.close))
        both_came = comes.acquire(timeout=30) and comes.acquire(timeout=30)
        transport.go_on.set()
        assert [None, None] == [call.result() for call in closing]
    assert both_came
    assert 3 == sum(call.method == "DELETE" for call in transport.calls)
