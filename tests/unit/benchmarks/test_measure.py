"""Rounds in which the contenders take turns."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks import measure
from benchmarks.clients import import_peer
from benchmarks.measure import Effort, Sampler, compare
from benchmarks.tables import Table

TABLE = Table("table", "a table", "s")


@pytest.fixture(autouse=True)
def _frozen_again() -> Iterator[None]:
    """Freeze the objects of all collected tests again, which a measurement thaws."""
    yield
    gc.freeze()


def _sampler(name: str, log: list[str], sample: float = 1.0) -> Sampler:
    def sampler() -> float:
        log.append(name)
        return sample

    return sampler


def test_every_round_has_each_contender_once() -> None:
    """After a warm-up that does not count, each round starts with another contender."""
    log: list[str] = []
    rows = compare(TABLE, {name: _sampler(name, log) for name in "abc"}, 3).rows
    assert ["abc", "abc", "bca", "cab"] == ["".join(log[at : at + 3]) for at in range(0, 12, 3)]
    assert [("a", 3), ("b", 3), ("c", 3)] == [(row.name, len(row.samples)) for row in rows]


@pytest.mark.parametrize(("unit", "sample"), [("ms", 500.0), ("µs", 500_000.0), ("MB/s", 0.5)])
def test_seconds_are_converted_to_the_unit_of_the_table(unit: str, sample: float) -> None:
    """Other units are used as they are."""
    (row,) = compare(Table("t", "t", unit), {"a": _sampler("a", [], 0.5)}, 2).rows
    assert (sample, sample) == row.samples


def test_a_missing_package_is_a_row_with_a_note() -> None:
    """The other contenders are measured."""
    rows = compare(TABLE, {"a": _sampler("a", []), "b": lambda: import_peer("no_such_package")}, 2).rows
    note = "no_such_package is not installed: it is in the dependency group 'bench', run nox -s bench"
    assert [(2, ""), (0, note)] == [(len(row.samples), row.note) for row in rows]


def test_a_slow_contender_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its warm-up is its only sample, and it gets a note."""
    monkeypatch.setattr(measure, "SLOW_SAMPLE", -1.0)
    (row,) = compare(TABLE, {"a": _sampler("a", [], 30.0)}, 5).rows
    assert ((30.0,), "measured once") == (row.samples, row.note)


def test_a_contender_is_closed_after_the_last_round() -> None:
    """A context manager stays open while its contender is measured."""
    log: list[str] = []

    @contextmanager
    def contender() -> Iterator[Sampler]:
        yield _sampler("measured", log)
        log.append("closed")

    compare(TABLE, {"a": contender()}, 1)
    assert ["measured", "measured", "closed"] == log


def test_objects_are_frozen_during_the_rounds_only() -> None:
    """They would slow down each collection."""
    counts: list[int] = []

    def sampler() -> float:
        counts.append(gc.get_freeze_count())
        return 1.0

    gc.unfreeze()
    compare(TABLE, {"a": sampler}, 1)
    assert (0, True, 0) == (counts[0], counts[1] > 0, gc.get_freeze_count())


def test_an_effort_scales_amounts_and_rounds() -> None:
    """The result is at least one."""
    effort = Effort(amount=0.1, rounds=0.1)
    assert (200, 1, 10) == (effort.scale(2000), effort.scale(3), effort.scale(20, minimum=10))
    assert (3, 1) == (effort.scale_rounds(31), effort.scale_rounds(4))
