"""Parts of a text, and their replacement."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

_PART, _REACH = 1 << 20, 1 << 14
_WORD_END = re.compile(r"[^\w+/-]")
"""A character that is part of no word and of no base64."""

Span = tuple[int, int, str]
"""The start and the end of a part of a text, and the text that replaces it."""


def overlapping_parts(pieces: Iterable[str], longest: int) -> Iterator[tuple[int, str]]:
    """Yield the parts of a text that comes in pieces, each with its position; a small text is one part.

    So much is in two parts that each text of ``longest`` characters is in one of them as a whole, also if it
    is wrapped in lines. A part begins behind the end of a word: a part of a word is not taken for a word.
    """
    reach = max(_REACH, 4 * longest)
    beginning: list[str] = []
    position, size, most = 0, 0, max(_PART, 4 * reach)
    for piece in pieces:
        if size >= most:
            text = "".join(beginning)
            yield position, text
            word_end = _WORD_END.search(text, max(0, size - 2 * reach), max(0, size - reach))
            start = word_end.end() if word_end is not None else 0
            beginning = [text[start:]]
            position, size = position + start, size - start
            most = size + max(_PART, size)
        beginning.append(piece)
        size += len(piece)
    yield position, "".join(beginning)


def replace_spans(text: str, spans: Iterable[Span]) -> str:
    """Return a text with spans replaced; of two that overlap, the first and then the longest."""
    parts: list[str] = []
    position = 0
    for start, stop, replacement in _apart(spans):
        parts += (text[position:start], replacement)
        position = stop
    return "".join((*parts, text[position:]))


def replace_in_pieces(pieces: Iterable[str], spans: Iterable[Span]) -> list[str]:
    """As :func:`replace_spans`, of a text in pieces: a replacement goes into the one in which it begins."""
    ordered = deque(_apart(spans))
    position, done = 0, 0
    changed: list[str] = []
    for piece in pieces:
        end, done = position + len(piece), max(done, position)
        parts: list[str] = []
        while ordered and ordered[0][0] < end:
            start, stop, replacement = ordered.popleft()
            parts += (piece[done - position : start - position], replacement)
            done = stop
        changed.append("".join((*parts, piece[done - position :])))
        position = end
    return changed


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
