"""The time and memory of a call after many calls, and beside many open sessions."""

from __future__ import annotations

import gc
import itertools
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.clients import CODE, buntime_call, http_client_call
from benchmarks.measure import Action, Effort, compare, first_and_last, timed, timing
from benchmarks.memory import memory
from benchmarks.tables import Row, Table
from buntime import Buntime

_CALLS, _BLOCK, _TRACED = 100_000, 100, 10_000
_SESSIONS, _CALLS_BESIDE, _ROUNDS = (1, 10, 100, 1000), 200, 31


def measure(effort: Effort, url: str) -> list[Table]:
    """Measure calls in a row, and calls beside open sessions."""
    return [*_many_calls(url, effort), *_open_sessions(url, effort)]


def _many_calls(url: str, effort: Effort) -> list[Table]:
    blocks, block = effort.scale(_CALLS // _BLOCK, minimum=10), effort.scale_block(_BLOCK)
    traced = effort.scale(_TRACED)
    with buntime_call(url) as call, http_client_call(url) as control:
        timed(call, block)
        gc.collect()
        resident = memory("VmRSS")
        times = first_and_last(call, control, block, blocks)
        gc.collect()
        growth = memory("VmRSS") - resident
        tracemalloc.start()
        timed(call, block)
        before = _allocated()
        timed(call, traced)
        allocated = _allocated() - before
        tracemalloc.stop()
    sizes = (
        Row("growth of the process", (growth,)),
        Row("growth of Python's allocations", (allocated,), f"{traced:,} calls"),
    )
    total = f"{blocks * block:,} calls in a row"
    return [
        Table("many calls", f"one of {total}, beside http.client", "x http.client", "first tenth", times),
        Table("many calls, memory", total, "KB", "", sizes),
    ]


def _allocated() -> float:
    gc.collect()
    return tracemalloc.get_traced_memory()[0] / 1024


def _open_sessions(url: str, effort: Effort) -> list[Table]:
    counts = sorted({effort.scale(count) for count in _SESSIONS})
    names = [f"{count:,} open session{'s' * (count > 1)}" for count in counts]
    calls = effort.scale(_CALLS_BESIDE)
    contenders = {name: timing(_executing(url, count), calls) for name, count in zip(names, counts)}
    table = Table("open sessions", "an execute in each of the open sessions by turns", "µs", names[0])
    times = compare(table, contenders, effort.scale_rounds(_ROUNDS))
    with Buntime("btk_123", base_url=url, delete_on_close=True) as client:
        client.sessions.create()
        tracemalloc.start()
        sessions = [client.sessions.create() for _ in range(counts[-1])]
        size = Row("one open session", (_allocated() / len(sessions),))
        tracemalloc.stop()
    return [times, Table("open sessions, memory", f"{counts[-1]:,} sessions", "KB", "", (size,))]


@contextmanager
def _executing(url: str, count: int) -> Iterator[Action]:
    with Buntime("btk_123", base_url=url, delete_on_close=True) as client:
        sessions = itertools.cycle([client.sessions.create() for _ in range(count)])
        yield lambda: next(sessions).execute(CODE)
