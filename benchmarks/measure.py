"""Measure several contenders in interleaved rounds, so that a disturbance of the machine affects them all."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Callable, Union

import attrs

from benchmarks.clients import NotInstalledError
from benchmarks.server import ROOT
from benchmarks.tables import Row, Table

Action = Callable[[], object]
"""What is measured."""
Sampler = Callable[[], float]
"""Take one sample."""
Contender = Union[Sampler, AbstractContextManager[Sampler]]
"""A sampler, or a context manager that prepares it."""

_UNITS = {"ms": 1e3, "µs": 1e6}
SLOW_SAMPLE = 5.0
"""Seconds above which a contender is measured only once."""


@attrs.frozen
class Effort:
    """How long to measure: factors for the amount of work in a sample and for the number of rounds."""

    amount: float = 1.0
    rounds: float = 1.0

    def scale(self, full: int, minimum: int = 1) -> int:
        """Return an amount of work at this effort."""
        return max(minimum, round(full * self.amount))

    def scale_block(self, full: int) -> int:
        """Return how many calls make one sample; without rounds, one."""
        return full if self.rounds else 1

    def scale_rounds(self, full: int) -> int:
        """Return a number of rounds at this effort; without rounds, the first sample counts."""
        return max(1, round(full * self.rounds)) if self.rounds else 0


EFFORTS = {"full": Effort(), "quick": Effort(0.2, 0.3), "tiny": Effort(0.0005, 0.0)}


def run_program(program: str, *arguments: str) -> bytes:
    """Run a program in a fresh process, which stores compiled modules as for installed packages."""
    command = [sys.executable, "-c", program, *arguments]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.check_output(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)


def timed(call: Action, times: int = 1) -> float:
    """Return the seconds that one call takes, as the mean of ``times`` calls."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


@contextmanager
def timing(call: AbstractContextManager[Action], times: int = 1) -> Iterator[Sampler]:
    """Yield a sampler of the seconds that this call takes."""
    with call as prepared:
        yield lambda: timed(prepared, times)


def first_and_last(call: Action, control: Action, block: int, count: int) -> tuple[Row, Row]:
    """Measure blocks of calls relative to those of a control; return the first and the last tenth."""
    timed(call, block)
    timed(control, block)
    gc.collect()
    samples = tuple(timed(call, block) / timed(control, block) for _ in range(count))
    tenth = count // 10
    return Row("first tenth", samples[:tenth]), Row("last tenth", samples[-tenth:])


def compare(table: Table, contenders: Mapping[str, Contender], rounds: int) -> Table:
    """Measure the contenders and return the table with a row for each of them.

    The first sample of each contender warms it up and does not count, unless it is the only one. Each round
    starts with another contender. A contender whose package is missing becomes a row with a note.
    """
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    notes = dict.fromkeys(contenders, "")
    with ExitStack() as stack:
        samplers: dict[str, Sampler] = {}
        for name, contender in contenders.items():
            try:
                if isinstance(contender, AbstractContextManager):
                    contender = stack.enter_context(contender)  # noqa: PLW2901 - the sampler that it prepares
                start = time.perf_counter()
                sample = contender()
            except NotInstalledError as error:
                notes[name] = str(error)
                continue
            if not rounds or time.perf_counter() - start > SLOW_SAMPLE:
                samples[name], notes[name] = [sample], "measured once"
            else:
                samplers[name] = contender
        order = deque(samplers)
        # Objects from before the rounds, such as imported modules, must not slow their collections down.
        gc.collect()
        gc.freeze()
        try:
            for _ in range(rounds):
                for name in order:
                    gc.collect()
                    samples[name].append(samplers[name]())
                order.rotate(-1)
        finally:
            gc.unfreeze()
    scale = _UNITS.get(table.unit, 1.0)
    rows = (Row(name, tuple(scale * s for s in samples[name]), notes[name]) for name in contenders)
    return attrs.evolve(table, rows=tuple(rows))
