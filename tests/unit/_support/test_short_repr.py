"""Representations of values that may be large."""

from __future__ import annotations

from buntime._support.short_repr import short_repr
from tests.support.cases import in_one_test


@in_one_test("value", ["", "a'b", "x" * 400, None, (), ("a",), ("a", 1), (("a", "b"),), 7])
def test_small_values_are_unchanged(value: object) -> None:
    """Up to 400 characters and 20 items, it is the ``repr``."""
    assert repr(value) == short_repr(value)


def test_a_long_text_shows_both_ends() -> None:
    """Its length stands before them."""
    text = "first" + "x" * 1_000_000 + "last"
    shortened = short_repr(text)
    assert shortened.startswith("<1000009 characters: 'firstxxx")
    assert shortened.endswith("xxxlast'>")
    assert len(shortened) < 400


def test_a_long_tuple_shows_its_first_items() -> None:
    """The others are counted, and a long text in a tuple is shortened."""
    assert "(0, 1, " in short_repr(tuple(range(1000)))
    assert short_repr(tuple(range(1000))).endswith("19, ... and 980 more)")
    assert len(short_repr((("a.txt", "x" * 10_000),))) < 450
