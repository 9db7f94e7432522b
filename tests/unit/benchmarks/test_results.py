"""What is made of samples: medians, spreads, ratios, verdicts."""

from __future__ import annotations

import pytest

from benchmarks.results import Row, Table
from benchmarks.targets import TARGETS, Target, bound, verdicts

ROUND_TRIP = Table(
    "round trip",
    "a call",
    "µs",
    "requests Session.post",
    (
        Row("buntime", (1.0, 2.0, 30.0)),
        Row("requests Session.post", (4.0, 4.0, 40.0)),
        Row("httpx Client", (2.0, 4.0, 30.0)),
        Row("e2b", note="not installed"),
    ),
)


def test_the_median_and_the_quartiles() -> None:
    """A row tells the median of its samples, and their quartiles' distance as a share of it."""
    row = Row("one", (4.0, 1.0, 3.0, 2.0, 5.0))
    assert (3.0, 2 / 3) == (row.median, row.spread)


def test_one_sample_has_no_spread() -> None:
    """And no sample no median."""
    assert (1.0, None) == (Row("one", (1.0,)).median, Row("one", (1.0,)).spread)
    assert (None, None) == (Row("none").median, Row("none").spread)


def test_a_ratio_is_taken_round_by_round() -> None:
    """A round that was slow for all changes no ratio, as the ratio of medians would."""
    assert 0.5 == ROUND_TRIP.ratio("buntime")
    assert 0.5 == ROUND_TRIP.ratio("buntime", "httpx Client")
    assert 1.0 == ROUND_TRIP.ratio("requests Session.post")


@pytest.mark.parametrize(("name", "reference"), [("e2b", None), ("buntime", "e2b"), ("missing", None)])
def test_what_was_not_measured_has_no_ratio(name: str, reference: str | None) -> None:
    """Neither to others, nor others to it."""
    assert ROUND_TRIP.ratio(name, reference) is None


def test_a_row_may_have_a_reference_of_its_own() -> None:
    """It counts in place of the table's."""
    table = Table("t", "t", "s", "a", (Row("a", (1.0,)), Row("b", (2.0,)), Row("c", (4.0,), reference="b")))
    assert 2.0 == table.ratio("c")


def test_targets_that_were_measured_are_judged() -> None:
    """Others, such as those to a peer that is missing, are left out."""
    found = {one.target.reference: (one.value, one.met, one.moonshot) for one in verdicts([ROUND_TRIP])}
    assert {
        "requests Session.post": (0.5, True, None),
        "httpx Client": (0.5, True, None),
    } == found


@pytest.mark.parametrize(
    ("at_least", "expected"), [(False, [True, True, False]), (True, [False, True, True])]
)
def test_a_bound_includes_itself(at_least: bool, expected: list[bool]) -> None:
    """An upper bound is kept up to it, a lower one from it."""
    target = Target("t", "a", "b", 2.0, at_least=at_least)
    assert expected == [target.met(value, target.limit) for value in (1.9, 2.0, 2.1)]


def test_the_bound_in_the_unit_of_the_table() -> None:
    """It is the strictest of the limits, times the median of what they are to."""
    assert pytest.approx(0.58 * 4.0) == bound(ROUND_TRIP, "buntime")
    assert bound(ROUND_TRIP, "e2b") is None


def test_no_target_is_there_twice() -> None:
    """A pair of rows has one limit."""
    pairs = [(target.table, target.row, target.reference) for target in TARGETS]
    assert len(set(pairs)) == len(pairs)
