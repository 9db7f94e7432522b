"""The search for a text in the interactions recorded so far."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from buntime._support.base64_text import unwrap
from buntime._support.packed import Line, encode_parts
from buntime._support.spans import OverlappingParts, overlapping_parts
from buntime.cassette.body import outputs_of
from buntime.cassette.dialect import dialect_of
from buntime.cassette.file import interaction_of

_SHORTEST = 4
"""Characters of the texts in the index, and the least of a text that is searched for."""
_SEARCHES = 200
"""Searches from which on an index costs less than reading each line."""
_LARGE = 1 << 16
"""Characters of a line that gets no index, which would need too much memory."""


class History:
    """The lines recorded so far, in which texts are searched for, such as a secret that is learned later.

    Few searches read each line. A recording that brings a new secret with every call gets an index of the
    lines that contain each four characters, so that the time of a search does not grow with their number.
    """

    def __init__(self) -> None:
        self._new: list[tuple[int, Line]] = []
        self._lines: list[tuple[int, Line]] = []
        """The interactions that were there at the last search, each as it is searched."""
        self._searches = 0
        self._indexed = 0
        self._lines_with: dict[str, list[int]] = defaultdict(list)
        """The positions of the lines with each four characters; with ``""``, of those without an index."""

    def add(self, number: int, line: Line) -> None:
        """Note an interaction by its line of the journal."""
        self._new.append((number, line))

    def containing(self, needles: Sequence[str]) -> set[int]:
        """Return the numbers of the interactions that contain one of several texts, as they are in JSON."""
        # A large line is read again for each search.
        self._lines += (
            (number, "\n".join(_texts(line, len(line))) if isinstance(line, str) else line)
            for number, line in self._new
        )
        self._new.clear()
        self._searches += len(needles)
        if self._searches > _SEARCHES:
            for position, (_, line) in enumerate(self._lines[self._indexed :], self._indexed):
                for gram in _grams(line) if isinstance(line, str) and len(line) < _LARGE else ("",):
                    self._lines_with[gram].append(position)
            self._indexed = len(self._lines)
        positions = {*self._lines_with.get("", ()), *range(self._indexed, len(self._lines))}
        for needle in needles:
            grams = _grams(needle)
            if grams <= self._lines_with.keys():
                rarest: list[int] = min(map(self._lines_with.__getitem__, grams), key=len)
                positions.update(rarest)
        longest = max(map(len, needles), default=0)
        lines = map(self._lines.__getitem__, positions)
        texts = (
            (number, [line] if isinstance(line, str) else _texts(line, longest)) for number, line in lines
        )
        return {
            number for number, each in texts if any(needle in text for text in each for needle in needles)
        }


def _texts(line: Line, longest: int) -> Iterator[str]:
    """Yield a line and its outputs joined, with and without line ends: a secret may be cut anywhere."""
    for part in _parts(line, longest):
        yield part
        unwrapped = unwrap(part)
        if len(unwrapped) < len(part):
            yield unwrapped


def _parts(line: Line, longest: int) -> Iterator[str]:
    pieces = [line] if isinstance(line, str) else map(bytes.decode, encode_parts(line))
    yield from (text for _, text in overlapping_parts(pieces, longest))
    if isinstance(line, str) and '"events":' not in line:
        return
    item = interaction_of(line)
    outputs: dict[str, OverlappingParts] = defaultdict(lambda: OverlappingParts(longest))
    for kind, text in outputs_of((item.response or {}).get("events", ()), dialect_of(item.request["path"])):
        yield from (part for _, part in outputs[kind].add(json.dumps(text)[1:-1]))
    yield from (parts.last()[1] for parts in outputs.values())


def _grams(text: str) -> set[str]:
    return {text[start : start + _SHORTEST] for start in range(len(text) - _SHORTEST + 1)}
