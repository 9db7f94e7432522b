"""The texts recorded so far, in which a secret that becomes known later is searched for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Callable

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
        self._texts: dict[int, Callable[[], str]] = {}
        self._searches = 0
        self._indexed: dict[int, Callable[[], str]] = {}
        self._grams: dict[str, list[int]] = defaultdict(list)

    def add(self, number: int, text: Callable[[], str]) -> None:
        """Note a recording; its text is made for each search, as it may be large."""
        self._texts[number] = text

    def containing(self, needles: Sequence[str]) -> set[int]:
        """Return the numbers of the recordings that contain one of several texts of at least 4 characters."""
        numbers: set[int] = set()
        self._searches += len(needles)
        for number, read in [*self._texts.items()]:
            text = read()
            if any(map(text.__contains__, needles)):
                numbers.add(number)
            if self._searches > _SEARCHES and len(text) < _LARGE:
                self._indexed[number] = self._texts.pop(number)
                for gram in {text[start : start + _GRAM] for start in range(len(text) - _GRAM + 1)}:
                    self._grams[gram].append(number)
        for needle in needles:
            grams = (needle[start : start + _GRAM] for start in range(len(needle) - _GRAM + 1))
            candidates = min((self._grams.get(gram, []) for gram in grams), key=len)
            numbers.update(number for number in candidates if needle in self._indexed[number]())
        self._searches = 0 if self._searches > _SEARCHES else self._searches
        return numbers
