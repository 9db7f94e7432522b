"""The search for a text in the interactions recorded so far."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from buntime._support.base64_text import unwrap
from buntime.cassette.body import join_outputs
from buntime.cassette.dialect import dialect_of

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
        self._new: list[tuple[int, str]] = []
        self._lines: list[tuple[int, str]] = []
        """The interactions that were there at the last search, each as it is searched."""
        self._searches = 0
        self._indexed = 0
        self._lines_with: dict[str, list[int]] = defaultdict(list)
        """The positions of the lines with each four characters; with ``""``, of those without an index."""

    def add(self, number: int, line: str) -> None:
        """Note an interaction by its line of the journal."""
        self._new.append((number, line))

    def containing(self, needles: Sequence[str]) -> set[int]:
        """Return the numbers of the interactions that contain one of several texts, as they are in JSON."""
        self._lines += ((number, _searched(line)) for number, line in self._new)
        self._new.clear()
        self._searches += len(needles)
        if self._searches > _SEARCHES:
            for position, (_, line) in enumerate(self._lines[self._indexed :], self._indexed):
                for gram in _grams(line) if len(line) < _LARGE else ("",):
                    self._lines_with[gram].append(position)
            self._indexed = len(self._lines)
        positions = {*self._lines_with.get("", ()), *range(self._indexed, len(self._lines))}
        for needle in needles:
            grams = _grams(needle)
            if grams <= self._lines_with.keys():
                rarest: list[int] = min(map(self._lines_with.__getitem__, grams), key=len)
                positions.update(rarest)
        lines = map(self._lines.__getitem__, positions)
        return {number for number, line in lines if any(map(line.__contains__, needles))}


def _searched(line: str) -> str:
    """Return a line, its outputs joined, and both without line ends: a secret may be cut anywhere."""
    if '"events":' in line:
        _, request, outcome = json.loads(line)
        events, dialect = outcome.get("response", {}).get("events", ()), dialect_of(request["path"])
        line += json.dumps(join_outputs(events, dialect)[0])
    unwrapped = unwrap(line)
    return line if len(unwrapped) == len(line) else line + unwrapped


def _grams(text: str) -> set[str]:
    return {text[start : start + _SHORTEST] for start in range(len(text) - _SHORTEST + 1)}
