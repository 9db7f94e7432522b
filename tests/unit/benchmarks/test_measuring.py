"""Rounds in which contenders take turns."""

from __future__ import annotations

import gc
from contextlib import ExitStack

from benchmarks.measuring import Effort, Maker, Round, compared
from benchmarks.peers import peer


def _maker(name: str, heard: list[str], sample: float = 1.0) -> Maker:
    def measure() -> float:
        heard.append(name)
        return sample

    return lambda _: measure


def test_every_round_has_each_contender_once() -> None:
    """After one turn each that does not count, the rounds begin with one after the other."""
    heard: list[str] = []
    rows = compared({name: _maker(name, heard) for name in "abc"}, 3)
    assert ["abc", "abc", "bca", "cab"] == ["".join(heard[at : at + 3]) for at in range(0, 12, 3)]
    assert [("a", 3), ("b", 3), ("c", 3)] == [(row.name, len(row.samples)) for row in rows]


def test_samples_are_scaled() -> None:
    """Into the unit of the table."""
    (row,) = compared({"a": _maker("a", [], 0.5)}, 2, scale=1000.0)
    assert (500.0, 500.0) == row.samples


def test_a_missing_peer_is_a_row_that_says_so() -> None:
    """And the others are measured."""

    def missing(_: ExitStack) -> Round:
        peer("no_such_package")
        raise AssertionError

    there, not_there = compared({"a": _maker("a", []), "b": missing}, 2)
    assert 2 == len(there.samples)
    assert ((), "not installed: pip install 'buntime[bench]'") == (not_there.samples, not_there.note)


def test_what_a_contender_opened_is_closed() -> None:
    """When all have been measured."""
    heard: list[str] = []

    def maker(stack: ExitStack) -> Round:
        stack.callback(heard.append, "closed")
        return _maker("measured", heard)(stack)

    compared({"a": maker}, 1)
    assert ["measured", "measured", "closed"] == heard


def test_the_collector_is_as_it_was() -> None:
    """Measuring freezes what there is, and not for longer than it lasts."""
    frozen: list[int] = []

    def measure() -> float:
        frozen.append(gc.get_freeze_count())
        return 1.0

    before = gc.get_freeze_count()
    compared({"a": lambda _: measure}, 1)
    assert (before, True, before) == (frozen[0], frozen[1] > before, gc.get_freeze_count())


def test_an_effort_is_a_share_of_the_whole() -> None:
    """And at least one."""
    effort = Effort(amount=0.1, rounds=0.1)
    assert (200, 1, 10, 3, 1) == (
        effort.of(2000),
        effort.of(3),
        effort.of(20, least=10),
        effort.times(31),
        effort.times(4),
    )
