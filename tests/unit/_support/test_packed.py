"""Large streams in memory."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime._support import packed
from buntime._support.json_values import length, map_texts
from buntime._support.packed import (
    PackedChunks,
    PackedLine,
    PackedList,
    encode_parts,
    loads,
    loads_parts,
    pack,
)

_values = st.lists(st.none() | st.integers() | st.text() | st.lists(st.text()), min_size=1)


@given(values=_values, last=_values)
def test_a_packed_list_has_the_values(values: list[Any], last: list[Any]) -> None:
    """As often as they are needed, and in the line of a journal."""
    for items in (values, [*values[:-1], *last]):
        one = pack(values)
        assert isinstance(one, PackedList)
        if items is not values:
            one = one.with_last(last)
        assert len(items) == len(one)
        assert items == [*one] == [*one]
        assert items[-1] == one[-1]
        line = PackedLine('[1,{"events":[]}', one)
        assert [1, {"events": []}, items] == json.loads(b"".join(encode_parts(line)))
        assert [1, {"events": []}, items] == loads_parts(b"".join(encode_parts(line)).strip().split(b"\t"))
        assert [1, {"events": []}, one] == loads(line)


def test_a_packed_list_is_changed_and_counted_as_a_list() -> None:
    """Text by text."""
    values = [[1, "stdout", {"text": "a"}], [2, "result", {"code": None}]]
    upper = map_texts({"events": pack(values)}, str.upper)
    assert [[1, "STDOUT", {"TEXT": "A"}], [2, "RESULT", {"CODE": None}]] == [*upper["EVENTS"]]
    assert length(values) == length(pack(values)) == 13


def test_no_values() -> None:
    """They are an ordinary list."""
    assert [] == pack(())


def test_many_small_values_need_little_memory() -> None:
    """As objects of Python, they need ten times as much as their text, and more."""
    tracemalloc.start()
    try:
        values = pack([number, "stdout", {"text": f"a line, {number}\n"}] for number in range(20_000))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        assert sum(range(20_000)) == sum(value[0] for value in values)
    finally:
        tracemalloc.stop()


@given(chunks=st.lists(st.binary(max_size=9)))
def test_chunks_come_back_with_their_numbers(chunks: list[bytes]) -> None:
    """In both orders; reading them in their order drops them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "_PART", 20)
        kept = PackedChunks()
        for number, chunk in enumerate(chunks):
            kept.append(number / 2, chunk)
        assert chunks[::-1] == [*kept.reversed()]
        assert [(number / 2, chunk) for number, chunk in enumerate(chunks)] == [*kept.drain()]
        assert [] == [*kept.drain()]
