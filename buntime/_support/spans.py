"""Parts of a text, and their replacement."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Callable

_PART, _REACH = 1 << 20, 1 << 14
_WORD_END = re.compile(r"://|[^\w+/-]")
"""A character that is part of no word and of no base64, or what is before the host of a URL."""
_BASE64_END = re.compile(r"://|[^A-Za-z0-9+/_-]")

Span = tuple[int, int, str]
"""The start and the end of a part of a text, and the text that replaces it."""


class OverlappingParts:
    """Makes parts of a text that comes in pieces, each with its position; a small text is one part.

    So much is in two parts that each text of ``longest`` characters is in one of them as a whole, also if it
    is wrapped in lines. A part begins behind the end of a word: a part of a word is not taken for a word. In
    a word of many thousand letters, which is base64 if anything, it begins with a group of four of them.
    """

    def __init__(self, longest: int) -> None:
        self._reach = max(_REACH, 4 * longest)
        self._most = max(_PART, 4 * self._reach)
        self._pieces: list[str] = []
        self._position, self._size = 0, 0

    def add(self, piece: str) -> Iterator[tuple[int, str]]:
        """Add a piece; yield the part before it, if it is complete."""
        if self._size >= self._most:
            position, text = self.last()
            yield position, text
            latest = len(text) - self._reach
            word_end = _WORD_END.search(text, latest - self._reach, latest)
            start = word_end.end() if word_end is not None else _group_start(text, latest)
            self._pieces = [text[start:]]
            self._position, self._size = position + start, len(text) - start
        self._pieces.append(piece)
        self._size += len(piece)

    def last(self) -> tuple[int, str]:
        """Return the last part."""
        return self._position, "".join(self._pieces)


def _group_start(text: str, latest: int) -> int:
    """Return where a group of four letters of the base64 at a position begins."""
    start = max((match.end() for match in _BASE64_END.finditer(text, 0, latest)), default=0)
    return latest - (latest - start) % 4


def overlapping_parts(pieces: Iterable[str], longest: int) -> Iterator[tuple[int, str]]:
    """Yield the :class:`OverlappingParts` of a text."""
    parts = OverlappingParts(longest)
    for piece in pieces:
        yield from parts.add(piece)
    yield parts.last()


def replace_spans(text: str, spans: Iterable[Span]) -> str:
    """Return a text with spans replaced; of two that overlap, the first and then the longest."""
    parts: list[str] = []
    position = 0
    for start, stop, replacement in _apart(spans):
        parts += (text[position:start], replacement)
        position = stop
    return "".join((*parts, text[position:]))


def cover(spans: Iterable[Span], rest: Callable[[str, int], str]) -> list[Span]:
    """Return spans that do not overlap and replace all that these do; of those with one start, the longest.

    ``rest`` returns the replacement of a text without so many characters at its start: of a span that begins
    in another one, the part behind that.
    """
    covering: list[Span] = []
    position, farthest = 0, (0, 0, "")
    end_of_text = (sys.maxsize, sys.maxsize, "")
    for span in (*{span[0]: span for span in sorted(spans)}.values(), end_of_text):
        if span[0] > position and farthest[1] > position:
            covering.append((position, farthest[1], rest(farthest[2], position - farthest[0])))
            position = farthest[1]
        if span[0] >= position and span is not end_of_text:
            covering.append(span)
            position = span[1]
        farthest = max(farthest, span, key=lambda each: each[1])
    return covering


def without_cutting(spans: Iterable[Span], others: Iterable[Span]) -> Iterator[Span]:
    """Yield the spans that do not end inside another one that begins later, whose rest would stay."""
    ordered = sorted(others)
    for start, end, replacement in spans:
        begun = ordered[bisect_left(ordered, (start + 1,)) : bisect_left(ordered, (end,))]
        if all(other[1] <= end for other in begun):
            yield start, end, replacement


class Replacement:
    """Does the same in a text that comes in pieces: a replacement goes into the piece in which it begins."""

    def __init__(self, spans: Iterable[Span]) -> None:
        self._spans = deque(_apart(spans))
        self._position, self._done = 0, 0

    def __call__(self, piece: str) -> str:
        """Return the next piece, changed."""
        position, done, spans = self._position, max(self._done, self._position), self._spans
        end = position + len(piece)
        parts: list[str] = []
        while spans and spans[0][0] < end:
            start, stop, replacement = spans.popleft()
            parts += (piece[done - position : start - position], replacement)
            done = stop
        self._position, self._done = end, done
        return "".join((*parts, piece[done - position :]))


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Return spans in their order, without those that overlap one before."""
    apart: list[Span] = []
    position = 0
    for span in {span[0]: span for span in sorted(spans)}.values():
        if span[0] >= position:
            apart.append(span)
            position = span[1]
    return apart


def split_spans(
    spans: Iterable[Span], gaps: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, int, Span]]:
    """Yield the parts of the spans of a text that was made from another one by leaving out its ``gaps``.

    A part has its start, its end, the length of the gaps before it, and its span.
    """
    shifts = [0, *accumulate(end - start for start, end in gaps)]
    cuts = [start - shift for (start, _), shift in zip(gaps, shifts)]
    for span in spans:
        first, last = bisect_right(cuts, span[0]), bisect_left(cuts, span[1])
        bounds = [span[0], *cuts[first:last], span[1]]
        yield from ((*part, span) for part in zip(bounds, bounds[1:], shifts[first:]))
