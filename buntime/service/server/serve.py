"""``buntime serve``: a transport over HTTP, on waitress (extra ``serve``)."""

from __future__ import annotations

import re
import select
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any, Callable, Optional

from waitress import wasyncore
from waitress.server import create_server

from buntime._http import Secret, Transport
from buntime.service.requests import MAX_BODY
from buntime.service.server.access import AccessControl, is_loopback
from buntime.service.server.connections import Dispatcher, channel_class, close_stale
from buntime.service.server.wsgi import application

_MAX_PORT = 65535


class ServeError(Exception):
    """The server cannot be started with these options."""


def serve(
    transport: Transport,
    *,
    host: str,
    port: int,
    api_key: str | None,
    threads: int,
    ready: Callable[[str], object],
) -> None:
    """Serve ``transport`` until SIGINT or SIGTERM; then close it. In the main thread only.

    ``ready`` is called with the base URL when connections are accepted. Further signals do not disturb the
    clean-up. Without an ``api_key`` only this machine is served: ``host`` must be a loopback address, and web
    pages from elsewhere are refused. Raises :class:`ServeError`.
    """
    with ExitStack() as stack:
        signals = stack.enter_context(_Signals())
        stack.callback(transport.close)
        _check(host, port, api_key, threads)
        access = AccessControl(None if api_key is None else Secret(api_key), loopback_only=api_key is None)
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = stack.enter_context(socket.create_server((host, port), family=family))
        except (OSError, ValueError) as error:
            raise ServeError(f"cannot listen on {host}, port {port}: {error}") from error
        with _server(transport, access, listener, threads) as (server, sockets):
            signals.wake = server.pull_trigger
            address, number = listener.getsockname()[:2]
            ready(f"http://{f'[{address}]' if ':' in address else address}:{number}")
            try:
                while not signals.received:
                    wasyncore.loop(timeout=1, use_poll=hasattr(select, "poll"), map=sockets, count=1)
            finally:
                signals.wake = lambda: None


def _check(host: str, port: int, api_key: str | None, threads: int) -> None:
    if api_key is not None and not re.fullmatch(r"[!-~]+", api_key):
        raise ServeError(
            "the API key is empty or has white space or other than ASCII characters; "
            "leave --api-key and BUNTIME_SERVE_API_KEY out to serve without a key"
        )
    if api_key is None and not is_loopback(host):
        raise ServeError(
            f"{host} can be reached from other machines; give an --api-key, or serve on 127.0.0.1"
        )
    if not 0 <= port <= _MAX_PORT:
        raise ServeError(f"--port is {port}; it must be from 0 to {_MAX_PORT}")
    if threads < 1:
        raise ServeError(f"--threads is {threads}; it must be at least 1")


class _Signals:
    """Notes SIGINT and SIGTERM in its block, and calls ``wake`` for each.

    They raise nothing: waitress would take an exception in one of its handlers for a failure of that
    connection, log it, and go on serving.
    """

    def __init__(self) -> None:
        self.received = False
        self.wake: Callable[[], object] = lambda: None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> _Signals:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._notice)
        return self

    def __exit__(self, *_error: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _notice(self, _number: int, _frame: Optional[FrameType]) -> None:
        self.received = True
        self.wake()


@contextmanager
def _server(
    transport: Transport, access: AccessControl, listener: socket.socket, threads: int
) -> Iterator[tuple[Any, dict[int, Any]]]:
    """Yield the server and the map of its sockets."""
    sockets: dict[int, Any] = {}
    dispatcher = Dispatcher(threads, getattr(transport, "end_holds", lambda: None))
    # An open connection needs no thread, so there may be more of them than threads.
    connections = max(500, 2 * threads)
    try:
        server: Any = create_server(
            application(transport.send, access),
            map=sockets,
            _dispatcher=dispatcher,  # type: ignore[arg-type] # has the methods that are used
            sockets=[listener],
            # The server accepts some more than it keeps, so that new ones take the place of the oldest.
            connection_limit=connections + 100,
            cleanup_interval=1,
            max_request_body_size=MAX_BODY + 1,
            ident="buntime",
        )
        server.channel_class = channel_class(access)

        def maintain(_now: float) -> None:
            close_stale(server.active_channels.values(), connections)
            dispatcher.look_for_crowd()

        server.maintenance = maintain
        yield server, sockets
    finally:
        # Executions first: the server's threads wait for them.
        transport.close()
        dispatcher.shutdown()
        wasyncore.close_all(sockets)
