"""``buntime serve``: the service over HTTP, on waitress (extra ``serve``)."""

from __future__ import annotations

import ipaddress
import os
import signal
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Optional

from buntime.service.app import Service
from buntime.service.bun import BunExecutor
from buntime.service.executors import Executor
from buntime.service.folders import WorkspaceFolder
from buntime.service.sandbox import SetupError
from buntime.service.script_files import ScriptFileError, read_scripts
from buntime.service.wsgi import application


class ServeError(Exception):
    """The server cannot be started as asked."""


class _Stop(BaseException):
    """A signal asks the server to stop."""


def make_executor(*, script: Path | None, isolation: str | None, network: bool) -> Executor:
    """Return a scripted executor where there is a ``script`` file, else one that runs Bun.

    ``isolation`` is ``BUNTIME_ISOLATION`` where left out, else ``"required"``. Raises :class:`ServeError`.
    """
    try:
        if script is not None:
            return read_scripts(script)
        mode = isolation or os.environ.get("BUNTIME_ISOLATION") or "required"
        return BunExecutor(isolation=mode, network=network)
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

    ``ready`` is called with the base URL when connections are accepted. Raises :class:`ServeError`.
    """
    if not api_key and not is_loopback(host):
        raise ServeError(
            f"{host} can be reached from other machines; give an --api-key, or serve on 127.0.0.1"
        )
    if threads < 1:
        raise ServeError(f"--threads is {threads}; it must be at least 1")
    create_server = _waitress()
    folder = WorkspaceFolder()
    service = Service(executor, folder.workspace, plan=plan, api_key=api_key or None)
    try:
        server = _listening(create_server, application(service), host=host, port=port, threads=threads)
        _run(server, service, ready)
    finally:
        service.close()
        folder.remove()


def _waitress() -> Callable[..., Any]:
    try:
        from waitress.server import create_server
    except ImportError:
        raise ServeError(
            'buntime serve needs waitress, from the extra serve: pip install "buntime[serve]"'
        ) from None
    found: Callable[..., Any] = create_server
    return found


def _listening(create_server: Callable[..., Any], app: Any, *, host: str, port: int, threads: int) -> Any:
    try:
        return create_server(app, host=host, port=port, threads=threads, ident="buntime")
    except (OSError, ValueError, OverflowError) as error:
        raise ServeError(f"cannot listen on {host}, port {port}: {error}") from error


def _run(server: Any, service: Service, ready: Callable[[str], object]) -> None:
    previous = {number: signal.signal(number, _stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ready(_url(server))
        server.run()
    except _Stop:
        pass
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        # Executions first: the server's threads wait for them.
        service.close()
        server.task_dispatcher.shutdown()
        server.close()


def _stop(_number: int, _frame: Optional[FrameType]) -> None:
    raise _Stop


def _url(server: Any) -> str:
    host = server.effective_host
    return f"http://{f'[{host}]' if ':' in host else host}:{server.effective_port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
