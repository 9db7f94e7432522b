"""The texts recorded so far, in which a secret that becomes known later is searched for."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence

from buntime.cassette.body import join_outputs
from buntime.cassette.dialect import dialect_of

_LARGE = 1 << 16
"""Characters of a recording that gets no index, which would need too much memory."""
_SEARCHES = 200
"""Searches of a text that cost as much as its index."""
_GRAM = 4


class History:
    """Finds recordings by a part of their text, in a time that does not grow with their number.

    A recording with few secrets has few searches, which read each text. One that brings a new secret with
    every call would read everything before it each time. So texts that were read often enough get an index:
    for each four characters, the recordings that contain them.
    """

    def __init__(self) -> None:
        self._lines: dict[int, str] = {}
        self._searches = 0
        self._indexed: dict[int, str] = {}
        self._grams: dict[str, list[int]] = defaultdict(list)

    def add(self, number: int, line: str) -> None:
        """Note a recording by its line of the journal."""
        self._lines[number] = line

    def containing(self, needles: Sequence[str]) -> set[int]:
        """Return the numbers of the recordings that contain one of several texts of at least 4 characters."""
        numbers: set[int] = set()
        self._searches += len(needles)
        for number, line in [*self._lines.items()]:
            text = _with_joined_streams(line)
            if any(map(text.__contains__, needles)):
                numbers.add(number)
            if self._searches > _SEARCHES and len(text) < _LARGE:
                self._indexed[number] = self._lines.pop(number)
                for gram in {text[start : start + _GRAM] for start in range(len(text) - _GRAM + 1)}:
                    self._grams[gram].append(number)
        for needle in needles:
            grams = (needle[start : start + _GRAM] for start in range(len(needle) - _GRAM + 1))
            candidates = min((self._grams.get(gram, []) for gram in grams), key=len)
            texts = ((number, _with_joined_streams(self._indexed[number])) for number in candidates)
            numbers.update(number for number, text in texts if needle in text)
        self._searches = 0 if self._searches > _SEARCHES else self._searches
        return numbers


def _with_joined_streams(line: str) -> str:
    """Return a line with the outputs of its stream in one piece, too: a secret may be cut anywhere."""
    if '"events":' not in line:
        return line
    data = json.loads(line)[1]
    outputs, _ = join_outputs(data.get("response", {}).get("events", ()), dialect_of(data["request"]["path"]))
    return line + json.dumps(outputs)
