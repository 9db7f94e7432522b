"""Rounds in which every contender has its turn, so that what disturbs one disturbs all."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Callable, Optional

import attrs

from benchmarks.peers import NotInstalled
from benchmarks.results import Row

Call = Callable[[], object]
Round = Callable[[], float]
"""Measures once, and returns one sample."""
Maker = Callable[[ExitStack], Round]
"""Sets a contender up, for as long as the stack is open."""


@attrs.frozen
class Effort:
    """How long to measure: the share of the full amounts, and of the full rounds."""

    amount: float = 1.0
    rounds: float = 1.0

    def of(self, full: int, least: int = 1) -> int:
        """Return this much of an amount."""
        return max(least, round(full * self.amount))

    def times(self, full: int) -> int:
        """Return this many of so many rounds."""
        return max(1, round(full * self.rounds))


_PATIENCE = 20.0
"""Seconds of a turn, above which there is only one."""

FULL = Effort()
QUICK = Effort(amount=0.2, rounds=0.3)
TINY = Effort(amount=0.0005, rounds=0.0)


def timed(call: Call, times: int) -> float:
    """Return the seconds of one call, of so many in a row."""
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def repeated(call: Call, times: int) -> Round:
    """Return a round of so many calls."""
    return lambda: timed(call, times)


def compared(contenders: Mapping[str, Maker], rounds: int, *, scale: float = 1.0) -> tuple[Row, ...]:
    """Return a row for each contender, measured in turns; samples are multiplied by ``scale``.

    The first turn of each is not counted, unless it takes so long that it is the only one. Each round begins
    with another contender.
    """
    with ExitStack() as stack:
        turns = [_made(name, maker, stack) for name, maker in contenders.items()]
        for turn in turns:
            turn.first()
        with _no_older_garbage():
            for number in range(rounds):
                for turn in _rotated(turns, number):
                    turn.next()
    return tuple(turn.row(scale) for turn in turns)


@attrs.define
class _Turns:
    """One contender and its samples so far."""

    name: str
    measure: Optional[Round]
    note: str = ""
    samples: list[float] = attrs.Factory(list)

    def first(self) -> None:
        if self.measure is not None:
            start = time.perf_counter()
            sample = self.measure()
            if time.perf_counter() - start > _PATIENCE:
                self.samples, self.note, self.measure = [sample], "measured once", None

    def next(self) -> None:
        if self.measure is not None:
            gc.collect()
            self.samples.append(self.measure())

    def row(self, scale: float) -> Row:
        return Row(self.name, tuple(scale * sample for sample in self.samples), self.note)


def _made(name: str, maker: Maker, stack: ExitStack) -> _Turns:
    try:
        return _Turns(name, maker(stack))
    except NotInstalled as error:
        return _Turns(name, None, str(error))


def _rotated(turns: Sequence[_Turns], by: int) -> list[_Turns]:
    start = by % len(turns)
    return [*turns[start:], *turns[:start]]


@contextmanager
def _no_older_garbage() -> Iterator[None]:
    """Let the collector look only at what comes from now on, whatever was imported before."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def say(text: str) -> None:
    """Tell how far the measuring is."""
    print(text, file=sys.stderr, flush=True)
