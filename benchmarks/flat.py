"""Whether a call costs the same after many calls, and beside many open sessions."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from contextlib import ExitStack

from benchmarks.calls import BODY, buntime_call, http_client_call
from benchmarks.measuring import Call, Effort, Maker, Round, compared, timed
from benchmarks.memory import resident
from benchmarks.results import Row, Table
from benchmarks.server import loopback
from buntime import Buntime, Session

_CALLS, _BLOCK, _TRACED = 100_000, 100, 10_000
_SESSIONS = (1, 10, 100, 1000)
_BESIDE, _ROUNDS = 200, 31
_KILOBYTE, _MICROSECONDS = 1024, 1e6


def measure(effort: Effort) -> list[Table]:
    """Measure time and memory, of calls in a row and of sessions that are open."""
    with loopback() as url:
        return [*_calls(url, effort), *_sessions(url, effort)]


def _calls(url: str, effort: Effort) -> list[Table]:
    blocks = effort.of(_CALLS // _BLOCK, least=10)
    with ExitStack() as stack:
        call, control = buntime_call(url, stack), http_client_call(url, stack)
        timed(call, _BLOCK)
        timed(control, _BLOCK)
        before = _resident()
        samples = [timed(call, _BLOCK) / timed(control, _BLOCK) for _ in range(blocks)]
        grown = _resident() - before
        traced = _traced(call, effort.of(_TRACED))
    tenth = blocks // 10
    time = (Row("first tenth", tuple(samples[:tenth])), Row("last tenth", tuple(samples[-tenth:])))
    total = f"{blocks * _BLOCK:,} calls in a row"
    memory = (
        Row("growth of the process", (grown / _KILOBYTE,)),
        Row("growth of what Python allocated", (traced / _KILOBYTE,), f"of {effort.of(_TRACED):,} calls"),
    )
    return [
        Table("many calls", f"one of {total}, beside http.client", "x http.client", "first tenth", time),
        Table("many calls, memory", total, "KB", "", memory),
    ]


def _resident() -> int:
    gc.collect()
    return resident()


def _traced(call: Call, times: int) -> int:
    """Return how much more is allocated after so many calls."""
    tracemalloc.start()
    try:
        timed(call, 100)
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        timed(call, times)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


def _sessions(url: str, effort: Effort) -> list[Table]:
    counts = sorted({effort.of(count) for count in _SESSIONS})
    contenders = {_name(count): _maker(url, count, effort.of(_BESIDE)) for count in counts}
    rows = compared(contenders, effort.times(_ROUNDS), scale=_MICROSECONDS)
    memory = Row("one open session", (_of_one(url, counts[-1]) / _KILOBYTE,))
    return [
        Table("open sessions", "an execute, going round the open sessions", "µs", _name(counts[0]), rows),
        Table("open sessions, memory", f"of {counts[-1]:,} sessions", "KB", "", (memory,)),
    ]


def _name(count: int) -> str:
    return f"{count:,} open session{'s' * (count > 1)}"


def _maker(url: str, count: int, calls: int) -> Maker:
    def make(stack: ExitStack) -> Round:
        sessions = itertools.cycle(_open(url, count, stack))
        return lambda: timed(lambda: next(sessions).execute(BODY["code"]), calls)

    return make


def _open(url: str, count: int, stack: ExitStack) -> list[Session]:
    client = stack.enter_context(Buntime("btk_123", base_url=url, delete_on_close=True))
    return [client.sessions.create() for _ in range(count)]


def _of_one(url: str, count: int) -> float:
    """Return the bytes of one open session, of so many."""
    with ExitStack() as stack:
        client = stack.enter_context(Buntime("btk_123", base_url=url, delete_on_close=True))
        client.sessions.create()
        tracemalloc.start()
        try:
            sessions = [client.sessions.create() for _ in range(count)]
            gc.collect()
            return tracemalloc.get_traced_memory()[0] / len(sessions)
        finally:
            tracemalloc.stop()
