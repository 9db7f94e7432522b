"""One execution and its response, by each client, on a connection that stays open.

Each client is imported when it is used: ``bench_first`` measures that too.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, Callable

SESSION = "ses_abc123def456ghi789"
CODE = "console.log('Sum: ' + (7 + 8))"
OUTPUT = "Sum: 15\n"
BODY = {"sessionId": SESSION, "code": CODE}
HEADERS = {"Authorization": "Bearer btk_123"}
JSON_HEADERS = {**HEADERS, "Content-Type": "application/json"}

Call = Callable[[], str]
"""Execute the code and return its output."""
Client = Callable[[str], AbstractContextManager[Call]]
"""Prepare a client for this URL."""


class NotInstalledError(ImportError):
    """A package of the dependency group ``bench`` is missing."""


def import_peer(module: str) -> Any:
    """Import a package, or raise `NotInstalledError`."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"{module} is not installed: it is in the dependency group 'bench', run nox -s bench"
        raise NotInstalledError(message) from error


@contextmanager
def buntime_call(url: str, connections: int = 10) -> Iterator[Call]:
    """Yield a call of ``client.execute``."""
    from buntime import Buntime
    from buntime.transport import HTTPTransport

    with Buntime("btk_123", transport=HTTPTransport(url, pool_maxsize=connections)) as client:
        yield lambda: client.execute(session_id=SESSION, code=CODE).stdout


@contextmanager
def http_client_call(url: str) -> Iterator[Call]:
    """Yield a call with the standard library."""
    import http.client

    def call() -> str:
        connection.request("POST", "/execute", json.dumps(BODY), JSON_HEADERS)
        return str(json.loads(connection.getresponse().read())["stdout"])

    with closing(http.client.HTTPConnection(url.removeprefix("http://"))) as connection:
        yield call


@contextmanager
def urllib3_call(url: str, connections: int = 1) -> Iterator[Call]:
    """Yield a call with a pool manager of urllib3."""
    with import_peer("urllib3").PoolManager(maxsize=connections, headers=JSON_HEADERS) as pool:
        yield lambda: json.loads(pool.request("POST", f"{url}/execute", body=json.dumps(BODY)).data)["stdout"]


@contextmanager
def _httpx_call(url: str) -> Iterator[Call]:
    with import_peer("httpx").Client(headers=HEADERS) as client:
        yield lambda: client.post(f"{url}/execute", json=BODY).json()["stdout"]


@contextmanager
def _requests_call(url: str) -> Iterator[Call]:
    with import_peer("requests").Session() as session:
        session.headers.update(HEADERS)
        yield lambda: session.post(f"{url}/execute", json=BODY).json()["stdout"]


@contextmanager
def _runloop_call(url: str) -> Iterator[Call]:
    with closing(import_peer("runloop_api_client").RunloopSDK(bearer_token="key", base_url=url)) as runloop:
        devbox = runloop.devbox.create()
        yield lambda: devbox.cmd.exec("echo 'Sum: 15'").stdout()


@contextmanager
def _devbox_call(url: str) -> Iterator[Call]:
    from buntime.runloop import RunloopSDK

    with RunloopSDK(bearer_token="key", base_url=url) as runloop, runloop.devbox.create() as devbox:
        yield lambda: devbox.cmd.exec("echo 'Sum: 15'").stdout()


@contextmanager
def _e2b_call(url: str) -> Iterator[Call]:
    create = import_peer("e2b").Sandbox.create
    sandbox = create(api_key="e2b_0", api_url=url, sandbox_url=url, http_version="1.1")
    yield lambda: sandbox.commands.run("echo 'Sum: 15'").stdout


CLIENTS: dict[str, Client] = {
    "buntime": buntime_call,
    "http.client": http_client_call,
    "urllib3 PoolManager": urllib3_call,
    "httpx Client": _httpx_call,
    "requests Session.post": _requests_call,
    "runloop-api-client": _runloop_call,
    "e2b": _e2b_call,
}

DEVBOX_CLIENTS: dict[str, Client] = {
    "buntime.runloop": _devbox_call,
    "runloop-api-client": _runloop_call,
}
