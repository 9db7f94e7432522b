"""How the server treats connections: rejected bodies, slow clients, and threads for short requests.

It extends waitress, which reads each request completely before it calls the application.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from copy import copy
from typing import Any, Callable

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.task import ErrorTask, ThreadedTaskDispatcher

from buntime.service.errors import ServiceError
from buntime.service.presigned import LARGEST_OBJECT, expiry_of
from buntime.service.server.access import AccessControl
from buntime.service.server.wsgi import access_log

REQUEST_TIMEOUT = 30.0
"""Seconds in which the headers of a request must arrive."""

IDLE_TIMEOUT = 120.0
"""Seconds after which a connection without any bytes is closed."""


_MAY_WAIT = re.compile(
    "/execute|/v1/.*/(create_and_await_running|execute|execute_sync|snapshot_disk|wait_for_status|stream_.*)|/v1/storage/.*"
)
"""The paths of requests that may take minutes."""


class _Discard:
    """Takes the place of the buffer that waitress keeps a body in."""

    def append(self, _data: bytes) -> None:
        """Drop it."""

    def close(self) -> None:
        """Do nothing."""

    def getfile(self) -> _Discard:
        """Return an empty file."""
        return self

    def read(self, *_size: int) -> bytes:
        """Return the end of the file."""
        return b""

    def __len__(self) -> int:
        return 0


class _Malformed(ErrorTask):
    """Responds to a request that waitress cannot read, which the application does not receive."""

    def execute(self) -> None:
        super().execute()
        access_log.info("%s - - %s", self.channel.addr[0], self.status)


def channel_class(access: AccessControl) -> type[HTTPChannel]:
    """Return the class of connections whose requests pass ``access`` before their bodies are stored."""

    class Parser(HTTPRequestParser):
        """Drops the body of a request that the application is going to reject.

        It still reads the body: a client that finds its connection closed while it sends misses the response.
        """

        def __init__(self, adjustments: Any) -> None:
            super().__init__(adjustments)
            self.started = time.time()
            self.rejected = False

        def parse_header(self, header_plus: bytes) -> None:
            super().parse_header(header_plus)
            request: Any = self
            target = request.path, request.query
            if expiry_of(request.command, *target) is not None:
                self.adj = copy(self.adj)
                self.adj.max_request_body_size = LARGEST_OBJECT + 1
            try:
                access.check(request.command, self.headers, *target)
            except ServiceError:
                self.rejected = True
            if not self.rejected or self.body_rcv is None:
                return
            if self.expect_continue:
                # The client waits for an invitation to send the body, and gets the response instead.
                self.expect_continue, self.connection_close, self.body_rcv = False, True, None
            else:
                self.body_rcv.buf = _Discard()  # type: ignore[assignment] # has the methods that are used
            self.content_length = 0

        def received(self, data: bytes) -> int:
            if self.rejected:
                self.body_bytes_received = 0  # waitress would stop reading at its limit
            return int(super().received(data))

    class Channel(HTTPChannel):
        parser_class = Parser
        error_task_class = _Malformed

    return Channel


class Dispatcher:
    """Runs executions and waits on ``threads`` threads, and all other requests on a few other threads.

    So a request that takes milliseconds never waits for executions that take minutes. ``crowded`` is called
    while a request waits for a thread.
    """

    def __init__(self, threads: int, crowded: Callable[[], object] = lambda: None) -> None:
        self._threads = threads
        self._crowded = crowded
        self._executions = ThreadedTaskDispatcher()
        self._executions.set_thread_count(threads)
        self._others = ThreadedTaskDispatcher()
        self._others.set_thread_count(max(2, threads // 8))

    def add_task(self, channel: Any) -> None:
        """Run the next request of a connection."""
        if _MAY_WAIT.fullmatch(getattr(channel.requests[0], "path", "")) is None:
            self._others.add_task(channel)
            return
        is_crowded = self._executions.active_count >= self._threads
        self._executions.add_task(channel)
        if is_crowded:
            self._crowded()

    def look_for_crowd(self) -> None:
        """Call ``crowded`` if a request waits; the server does so each second."""
        if self._executions.queue:
            self._crowded()

    def shutdown(self) -> None:
        """End the threads when their requests are done."""
        for dispatcher in (self._executions, self._others):
            dispatcher.shutdown()


def close_stale(channels: Iterable[Any], limit: int) -> None:
    """Close idle connections, and those whose headers are late; above ``limit``, also the oldest."""
    now = time.time()
    waiting = []
    for channel in list(channels):
        request = channel.request
        if channel.requests:
            continue  # a thread works on it
        since = channel.last_activity if request is None else request.started
        slow = request is not None and (request.rejected or not request.headers_finished)
        if (slow and now - since > REQUEST_TIMEOUT) or now - channel.last_activity > IDLE_TIMEOUT:
            channel.will_close = True
        else:
            waiting.append((since, id(channel), channel))
    excess = len(waiting) - limit
    for _, _, channel in sorted(waiting)[: max(0, excess)]:
        channel.will_close = True
