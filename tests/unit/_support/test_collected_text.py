"""A text of which the first and the last part are stored."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from buntime._support.collected_text import CollectedText, bound

_PIECES = st.lists(st.text(st.sampled_from("ab\né€😀\ud800")) | st.text(st.sampled_from("ab\n")), max_size=12)


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


@given(pieces=_PIECES, maximum=st.none() | st.integers(1, 40))
def test_both_halves_are_stored(pieces: list[str], maximum: int | None) -> None:
    """Up to the maximum the text is complete; beyond it, the marker counts every missing byte."""
    collected = CollectedText(maximum)
    for piece in pieces:
        collected.add(piece)
    text = "".join(pieces)
    assert collected.size == _size(text)
    if maximum is None or _size(text) <= maximum:
        assert (text, False) == (collected.text(), collected.truncated)
        return
    assert collected.truncated
    first, omitted, last = re.split(r"\n\[\.\.\. (\d+) bytes of output left out \.\.\.\]\n", collected.text())
    assert text.startswith(first)
    assert text.endswith(last)
    assert _size(text) == _size(first) + int(omitted) + _size(last)
    assert maximum - 6 <= _size(first) + _size(last) <= maximum


@given(pieces=_PIECES, maximum=st.integers(1, 40))
def test_the_pieces_do_not_matter(pieces: list[str], maximum: int) -> None:
    """A text in pieces is cut at the same places as the complete text."""
    collected = CollectedText(maximum)
    for piece in pieces:
        collected.add(piece)
    assert bound("".join(pieces), maximum) == (collected.text(), collected.truncated)


def test_memory_is_bounded() -> None:
    """However many pieces are added, at most twice the maximum is stored."""
    collected = CollectedText(1000)
    for _ in range(10_000):
        collected.add("x")
        assert len(collected._first) + len(collected._last) <= 2000
    assert 1000 + len("\n[... 9000 bytes of output left out ...]\n") == len(collected.text())
