"""Every benchmark, by the name that the command line knows it by."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Callable

import attrs

from benchmarks import calls, cassettes, first, flat, imports, local, pools, streams, threads, transfers
from benchmarks.machine import machine, versions
from benchmarks.measuring import FULL, QUICK, TINY, Effort
from benchmarks.report import Run
from benchmarks.results import Table


@attrs.frozen
class Benchmark:
    """What is measured, in words, and by what."""

    heading: str
    measure: Callable[[Effort], list[Table]]


BENCHMARKS = {
    "import": Benchmark("Import", imports.measure),
    "first": Benchmark("First call", first.measure),
    "calls": Benchmark("Round trip", calls.measure),
    "streams": Benchmark("Event streams", streams.measure),
    "transfers": Benchmark("Uploads and downloads", transfers.measure),
    "cassettes": Benchmark("Recording and replay", cassettes.measure),
    "local": Benchmark("Execution on this machine", local.measure),
    "threads": Benchmark("Threads", threads.measure),
    "pool": Benchmark("Many sessions at once", pools.measure),
    "flat": Benchmark("After many calls, beside many sessions", flat.measure),
}
EFFORTS = {"full": FULL, "quick": QUICK, "tiny": TINY}


def measured(name: str, effort: Effort) -> tuple[Table, ...]:
    """Run one benchmark."""
    return tuple(attrs.evolve(table, benchmark=name) for table in BENCHMARKS[name].measure(effort))


def run_of(tables: tuple[Table, ...], effort: str) -> Run:
    """Return what was measured as a run on this machine, now."""
    now = datetime.now(timezone.utc).isoformat(timespec="minutes")
    return Run(now, effort, machine(), versions(), tables)
