"""One client used from many threads at once."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Callable

import attrs

from benchmarks.answers import SESSION
from benchmarks.calls import BODY, HEADERS
from benchmarks.measuring import Call, Effort, Maker, Round, compared
from benchmarks.peers import peer
from benchmarks.results import Table
from benchmarks.server import loopback
from buntime import Buntime
from buntime.transport import HTTPTransport

MOST = 64
_COUNTS = (1, 2, 4, 8, 16, 32, MOST)
_CALLS = 500
_ROUNDS = 7

_Caller = Callable[[str, ExitStack], Call]


def measure(effort: Effort) -> list[Table]:
    """Measure calls a second, of all threads together."""
    callers: dict[str, _Caller] = {"buntime": _buntime, "urllib3": _urllib3}
    with loopback() as url:
        contenders = {
            _name(caller, count): _maker(callers[caller], url, count, effort.of(_CALLS))
            for count in _COUNTS
            for caller in callers
        }
        rows = compared(contenders, effort.times(_ROUNDS))
    against = {_name("buntime", count): _name("urllib3", count) for count in _COUNTS}
    return [
        Table(
            "threads",
            f"one client in several threads, {effort.of(_CALLS)} calls each, beside a PoolManager",
            "calls/s",
            _name("urllib3", 1),
            tuple(attrs.evolve(row, reference=against.get(row.name, "")) for row in rows),
            more_is_better=True,
        )
    ]


def _name(caller: str, count: int) -> str:
    return f"{caller}, {count} thread{'s' * (count > 1)}"


def _buntime(url: str, stack: ExitStack) -> Call:
    transport = HTTPTransport(url, pool_maxsize=MOST)
    client = stack.enter_context(Buntime("btk_123", transport=transport))
    return lambda: client.execute(session_id=SESSION, code=BODY["code"]).stdout


def _urllib3(url: str, stack: ExitStack) -> Call:
    headers = {**HEADERS, "Content-Type": "application/json"}
    pool = stack.enter_context(peer("urllib3").PoolManager(maxsize=MOST, headers=headers))
    return lambda: json.loads(pool.request("POST", f"{url}/execute", body=json.dumps(BODY)).data)["stdout"]


def _maker(caller: _Caller, url: str, count: int, calls: int) -> Maker:
    return lambda stack: _round(caller(url, stack), count, calls)


def _round(call: Call, count: int, calls: int) -> Round:
    def measure() -> float:
        ready = threading.Barrier(count + 1)
        with ThreadPoolExecutor(count) as threads:
            work = [threads.submit(_work, call, calls, ready) for _ in range(count)]
            ready.wait()
            start = time.perf_counter()
            for future in work:
                future.result()
            return count * calls / (time.perf_counter() - start)

    return measure


def _work(call: Call, calls: int, ready: threading.Barrier) -> None:
    ready.wait()
    for _ in range(calls):
        if call() != "Sum: 15\n":
            raise AssertionError("an answer was not the call's")
