"""One ``execute`` and its answer, on one connection that is kept."""

from __future__ import annotations

import http.client
import json
from contextlib import ExitStack
from typing import Callable
from urllib.parse import urlsplit

from benchmarks.answers import RESULT, SESSION
from benchmarks.measuring import Call, Effort, Maker, Round, compared, repeated
from benchmarks.peers import peer
from benchmarks.results import Table
from benchmarks.server import loopback
from buntime import Buntime

BODY = {"sessionId": SESSION, "code": "console.log('Sum: ' + (7 + 8))"}
HEADERS = {"Authorization": "Bearer btk_123"}
_JSON = {**HEADERS, "Content-Type": "application/json"}
# Short turns, so that what disturbs one disturbs its neighbours too.
_CALLS, _ROUNDS = 20, 301
_MICROSECONDS = 1e6


def buntime_call(url: str, stack: ExitStack) -> Call:
    """Return ``client.execute``, as a program calls it."""
    client = stack.enter_context(Buntime("btk_123", base_url=url))
    return lambda: client.execute(session_id=SESSION, code=BODY["code"]).stdout


def requests_call(url: str, stack: ExitStack) -> Call:
    """Return the same over a session of requests."""
    session = stack.enter_context(peer("requests").Session())
    session.headers.update(HEADERS)
    return lambda: session.post(f"{url}/execute", json=BODY).json()["stdout"]


def httpx_call(url: str, stack: ExitStack) -> Call:
    """Return the same over a client of httpx."""
    client = stack.enter_context(peer("httpx").Client(headers=HEADERS))
    return lambda: client.post(f"{url}/execute", json=BODY).json()["stdout"]


def urllib3_call(url: str, stack: ExitStack) -> Call:
    """Return the same over a pool manager of urllib3."""
    pool = stack.enter_context(peer("urllib3").PoolManager(headers=_JSON))
    return lambda: json.loads(pool.request("POST", f"{url}/execute", body=json.dumps(BODY)).data)["stdout"]


def http_client_call(url: str, stack: ExitStack) -> Call:
    """Return the same over the standard library's connection."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    stack.callback(connection.close)

    def call() -> object:
        connection.request("POST", "/execute", json.dumps(BODY), _JSON)
        return json.loads(connection.getresponse().read())["stdout"]

    return call


def runloop_call(url: str, stack: ExitStack) -> Call:
    """Return Runloop's call that runs a command and waits for its end; one exchange where it ends at once."""
    runloop = peer("runloop_api_client").RunloopSDK(bearer_token="key", base_url=url)
    stack.callback(runloop.close)
    devbox = runloop.devbox.create()
    return lambda: devbox.cmd.exec("echo 'Sum: 15'").stdout()


def e2b_call(url: str, _stack: ExitStack) -> Call:
    """Return E2B's call that runs a command and waits for its end: a stream of three events."""
    sandbox = peer("e2b").Sandbox.create(api_key="e2b_0", api_url=url, sandbox_url=url, http_version="1.1")
    return lambda: sandbox.commands.run("echo 'Sum: 15'").stdout


CALLERS: dict[str, Callable[[str, ExitStack], Call]] = {
    "buntime": buntime_call,
    "http.client": http_client_call,
    "urllib3 PoolManager": urllib3_call,
    "httpx Client": httpx_call,
    "requests Session.post": requests_call,
    "runloop-api-client": runloop_call,
    "e2b": e2b_call,
}


def measure(effort: Effort) -> list[Table]:
    """Measure one call and its answer."""
    with loopback() as url:
        contenders = {name: _maker(url, caller) for name, caller in CALLERS.items()}
        rows = compared(contenders, effort.times(_ROUNDS), scale=_MICROSECONDS)
    title = "execute and its answer over loopback, one connection"
    return [Table("round trip", title, "µs", "requests Session.post", rows)]


def _maker(url: str, caller: Callable[[str, ExitStack], Call]) -> Maker:
    def make(stack: ExitStack) -> Round:
        call = caller(url, stack)
        if call() != RESULT["stdout"]:
            raise AssertionError(f"{caller.__name__} did not give the output")
        return repeated(call, _CALLS)

    return make
