"""Parts of a text, and their replacement."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

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
