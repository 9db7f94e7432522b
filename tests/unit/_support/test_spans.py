"""Parts of a text, and their replacement."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime._support import spans
from buntime._support.spans import Replacement, overlapping_parts, replace_spans, without_cutting


@given(
    pieces=st.lists(st.text("ab ", max_size=9)),
    positions=st.sets(st.tuples(st.integers(0, 60), st.integers(1, 9))),
)
def test_spans_are_replaced_in_the_pieces_as_in_the_text(
    pieces: list[str], positions: set[tuple[int, int]]
) -> None:
    """Wherever it is cut; a replacement is in the piece in which its span begins."""
    text = "".join(pieces)
    inside = [(start, start + size, "X") for start, size in positions if start + size <= len(text)]
    result = list(map(Replacement(inside), pieces))
    assert len(pieces) == len(result)
    assert replace_spans(text, inside) == "".join(result)


@given(
    pieces=st.lists(st.text("ab \n", max_size=20), max_size=40)
    | st.lists(st.text("ab", max_size=20), max_size=40)
)
def test_a_text_is_in_one_of_the_parts_as_a_whole(pieces: list[str]) -> None:
    """With a character before and after it, so that what the edges of a part cut can be ignored."""
    longest = 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "_PART", 40)
        patch.setattr(spans, "_REACH", 8)
        parts = list(overlapping_parts(pieces, longest))
    text = "".join(pieces)
    assert all(text[start : start + len(part)] == part for start, part in parts)
    for first in range(max(0, len(text) - longest - 1)):
        end = first + longest + 2
        assert any(start <= first and min(end, len(text)) <= start + len(part) for start, part in parts)
    for start, _ in parts[1:]:
        word = max(text.rfind(" ", 0, start), text.rfind("\n", 0, start)) + 1
        assert (start - word) % 4 == 0
        assert start == word or start - word > 12
    assert all(len(part) <= 64 + 20 for _, part in parts)


@pytest.mark.parametrize("before", ["", "é", "aé", "https://"])
def test_a_part_in_base64_begins_with_a_group_of_its_letters(before: str) -> None:
    """Neither a letter that base64 does not have nor the slashes of a URL is in its first group."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "_PART", 40)
        patch.setattr(spans, "_REACH", 8)
        parts = list(overlapping_parts([before, *"QUJD" * 40], 4))
    assert len(parts) > 1
    assert all((start - len(before)) % 4 == 0 for start, _ in parts[1:])


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(1, 6)), max_size=5),
    st.integers(0, 12),
    st.integers(1, 9),
)
def test_a_span_that_cuts_another_is_left_out(others: list[tuple[int, int]], start: int, size: int) -> None:
    """One that begins later and ends later than the span."""
    end = start + size
    secrets = [(first, first + length, "") for first, length in others]
    cuts = any(start < first < end < last for first, last, _ in secrets)
    assert [*without_cutting([(start, end, "x")], secrets)] == ([] if cuts else [(start, end, "x")])
