"""``buntime serve``: the service over HTTP, on waitress (extra ``serve``)."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Optional

from buntime.service.clock import SystemClock
from buntime.service.executors import Executor
from buntime.service.machine.executor import BunExecutor
from buntime.service.machine.find import SetupError
from buntime.service.scripted.executor import ScriptedExecutor
from buntime.service.scripted.script_file import ScriptFileError, read_scripts
from buntime.service.server.loopback import is_loopback
from buntime.service.server.wsgi import application
from buntime.service.sessions.app import Service
from buntime.service.workspace.memory import MemoryWorkspace
from buntime.service.workspace.root import WorkspaceFolder

_MAX_PORT = 65535


class ServeError(Exception):
    """The server cannot be started as asked."""


def make_executor(*, script: Path | None, isolation: str | None, network: bool) -> Executor:
    """Return a scripted executor where there is a ``script`` file, else one that runs Bun.

    ``isolation`` is ``BUNTIME_ISOLATION`` where left out, else ``"required"``. Raises :class:`ServeError`.
    """
    try:
        if script is not None:
            return read_scripts(script)
        mode = isolation or os.environ.get("BUNTIME_ISOLATION") or "required"
        return BunExecutor(isolation=mode, network=network or None)
    except (SetupError, ScriptFileError) as error:
        raise ServeError(str(error)) from error


def serve(
    executor: Executor,
    *,
    host: str,
    port: int,
    api_key: str | None,
    plan: str | None,
    threads: int,
    ready: Callable[[str], object],
) -> None:
    """Serve until SIGINT or SIGTERM; then end all executions and sessions. In the main thread only.

    ``ready`` is called with the base URL when connections are accepted. Further signals do not disturb the
    clean-up. Without an ``api_key`` only this machine is served: ``host`` must be its own, and web pages from
    elsewhere are refused. Raises :class:`ServeError`.
    """
    _check(host, port, api_key, threads)
    create_server = _waitress()
    with ExitStack() as stack:
        signals = stack.enter_context(_Signals())
        listener = stack.enter_context(_listening(host, port))
        folder = WorkspaceFolder()
        stack.callback(folder.remove)
        service = _service(executor, folder, plan=plan, api_key=api_key)
        stack.callback(service.close)
        served = application(service, loopback_only=api_key is None)
        with _server(create_server, served, service, listener, threads) as (server, sockets):
            signals.wake = server.pull_trigger
            ready(_url(listener))
            _run(server, sockets, signals)


def _check(host: str, port: int, api_key: str | None, threads: int) -> None:
    if api_key is not None and not re.fullmatch(r"[!-~]+", api_key):
        raise ServeError(
            "the API key is empty or has white space or other than ASCII characters; "
            "leave --api-key and BUNTIME_SERVE_API_KEY out to ask for none"
        )
    if api_key is None and not is_loopback(host):
        raise ServeError(
            f"{host} can be reached from other machines; give an --api-key, or serve on 127.0.0.1"
        )
    if not 0 <= port <= _MAX_PORT:
        raise ServeError(f"--port is {port}; it must be from 0 to {_MAX_PORT}")
    if threads < 1:
        raise ServeError(f"--threads is {threads}; it must be at least 1")


def _waitress() -> Callable[..., Any]:
    try:
        from waitress.server import create_server
    except ImportError:
        raise ServeError(
            'buntime serve needs waitress, from the extra serve: pip install "buntime[serve]"'
        ) from None
    found: Callable[..., Any] = create_server
    return found


class _Signals:
    """Notices SIGINT and SIGTERM while entered, and calls ``wake`` for each.

    They raise nothing: waitress would take an exception in one of its handlers for a failure of that
    connection, log it, and go on serving.
    """

    def __init__(self) -> None:
        self.seen = False
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
        self.seen = True
        self.wake()


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, ValueError) as error:
        raise ServeError(f"cannot listen on {host}, port {port}: {error}") from error


def _service(
    executor: Executor, folder: WorkspaceFolder, *, plan: str | None, api_key: str | None
) -> Service:
    try:
        # Scripts run nothing, so their sessions are in memory, where the client's helpers can be acted out.
        scripted = isinstance(executor, ScriptedExecutor)
        workspaces = (lambda _id: MemoryWorkspace(SystemClock())) if scripted else folder.workspace
        return Service(executor, workspaces, plan=plan, api_key=api_key)
    except ValueError as error:
        raise ServeError(str(error)) from error


@contextmanager
def _server(
    create_server: Callable[..., Any],
    served: Callable[..., Iterable[bytes]],
    service: Service,
    listener: socket.socket,
    threads: int,
) -> Iterator[tuple[Any, dict[int, Any]]]:
    """Make the server and the map of its sockets; at the end nothing of it is left."""
    sockets: dict[int, Any] = {}
    # A kept connection needs no thread, so there may be more of them; waitress's own limit is 100.
    connections = max(500, 2 * threads)
    server = create_server(
        served,
        map=sockets,
        sockets=[listener],
        threads=threads,
        connection_limit=connections,
        ident="buntime",
    )
    try:
        yield server, sockets
    finally:
        # Executions first: the server's threads wait for them.
        service.close()
        server.task_dispatcher.shutdown()
        server.asyncore.close_all(sockets)


def _run(server: Any, sockets: dict[int, Any], signals: _Signals) -> None:
    try:
        while not signals.seen:
            server.asyncore.loop(timeout=1, use_poll=hasattr(select, "poll"), map=sockets, count=1)
    finally:
        signals.wake = lambda: None


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
