"""Medians, spreads, ratios and limits."""

from __future__ import annotations

import pytest

from benchmarks.tables import LIMITS, Limit, Row, Table

ROUND_TRIP = Table(
    "round trip",
    "a call",
    "µs",
    "requests Session.post",
    (
        Row("buntime", (1.0, 2.0, 30.0)),
        Row("requests Session.post", (4.0, 4.0, 40.0)),
        Row("httpx Client", (2.0, 4.0, 30.0)),
        Row("e2b", note="e2b is not installed"),
    ),
)


def test_the_median_and_the_spread() -> None:
    """The spread is the interquartile range divided by the median."""
    row = Row("one", (4.0, 1.0, 3.0, 2.0, 5.0))
    assert (3.0, 2 / 3) == (row.median, row.spread)


def test_one_sample_has_no_spread() -> None:
    """A row without samples has no median either."""
    assert (1.0, None) == (Row("one", (1.0,)).median, Row("one", (1.0,)).spread)
    assert (None, None) == (Row("none").median, Row("none").spread)


def test_a_ratio_is_the_median_of_the_ratios_of_all_rounds() -> None:
    """A round in which everything was slow does not change it; the ratio of the medians would change."""
    assert 0.5 == ROUND_TRIP.ratio("buntime")
    assert 0.5 == ROUND_TRIP.ratio("buntime", "httpx Client")
    assert 1.0 == ROUND_TRIP.ratio("requests Session.post")


def test_rows_with_different_numbers_of_samples_are_compared_by_their_medians() -> None:
    """A contender that is measured once is such a row."""
    table = Table("t", "t", "s", "b", (Row("a", (30.0,)), Row("b", (1.0, 10.0, 20.0))))
    assert 3.0 == table.ratio("a")


@pytest.mark.parametrize(("name", "reference"), [("e2b", ""), ("buntime", "e2b"), ("missing", "")])
def test_a_row_without_samples_has_no_ratio(name: str, reference: str) -> None:
    """Nor have other rows a ratio to it."""
    assert ROUND_TRIP.ratio(name, reference) is None


def test_a_row_can_have_its_own_reference() -> None:
    """It replaces the reference of the table."""
    rows = (Row("a", (1.0,)), Row("b", (2.0,)), Row("c", (4.0,)))
    table = Table("t", "t", "s", "a", rows, references={"c": "b"})
    assert (2.0, "b") == (table.ratio("c"), table.figures()["rows"][2]["reference"])


def test_limits_of_measured_rows_are_checked() -> None:
    """Other limits, such as those against a missing peer, are left out."""
    limits = ROUND_TRIP.figures()["limits"]
    assert [
        ("requests Session.post", 0.5, 0.58, True, None),
        ("httpx Client", 0.5, 0.9, True, None),
    ] == [(one["reference"], one["measured"], one["limit"], one["met"], one["goal_met"]) for one in limits]


@pytest.mark.parametrize(
    ("at_least", "expected"), [(False, [True, True, False]), (True, [False, True, True])]
)
def test_a_limit_includes_its_bound(at_least: bool, expected: list[bool]) -> None:
    """An upper limit allows values up to it, a lower limit from it; a goal is checked alike."""
    tables = [Table("t", "t", "s", "", (Row("a", (value,)),)) for value in (1.9, 2.0, 2.1)]
    limit = Limit("t", "a", "", 2.0, 2.0, at_least)
    figures = [limit.figures(table) or {} for table in tables]
    assert expected == [one["met"] for one in figures]
    assert expected == [one["goal_met"] for one in figures]


def test_a_limit_belongs_to_one_table() -> None:
    """A row with the same name in another table has no limit."""
    assert Limit("t", "a", "", 2.0).figures(Table("u", "u", "s", "", (Row("a", (1.0,)),))) is None


def test_a_pair_of_rows_has_one_limit() -> None:
    """The nineteen limits and two goals are about different pairs."""
    pairs = [(limit.table, limit.row, limit.reference) for limit in LIMITS]
    assert len(set(pairs)) == len(pairs)
    assert 19 == sum(limit.limit is not None for limit in LIMITS)
