"""Parts of a text, and their replacement."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

Span = tuple[int, int, str]
"""The start and the end of a part of a text, and the text that replaces it."""


def replace_spans(pieces: Sequence[str], spans: Iterable[Span]) -> list[str]:
    """Return the pieces of a text with spans replaced; of two that overlap, the first and then the longest.

    A replacement goes into the piece in which its span begins.
    """
    ordered = deque({span[0]: span for span in sorted(spans)}.values())
    text, end, done = "".join(pieces), 0, 0
    changed: list[str] = []
    for piece in pieces:
        end += len(piece)
        parts: list[str] = []
        while ordered and ordered[0][0] < end:
            start, stop, replacement = ordered.popleft()
            if start >= done:
                parts += (text[done:start], replacement)
                done = stop
        changed.append("".join((*parts, text[done:end])))
        done = max(done, end)
    return changed


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
