"""The texts recorded so far, in which a secret that becomes known later is searched for."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Callable

import attrs

_BLOCK = 8192
"""Characters of the recordings that are indexed together."""
_LARGE = 8 * _BLOCK
"""Characters of a recording that is read again for each search: few of this size fit into memory."""
_SEARCHES = 200
"""Searches of a block that cost as much as its index."""
_GRAM = 4


@attrs.define(eq=False)
class _Block:
    texts: dict[int, str] = attrs.field(factory=dict)
    size: int = 0
    searches: int = 0

    def containing(self, needle: str) -> Iterator[int]:
        return (number for number, text in self.texts.items() if needle in text)

    def grams(self) -> set[str]:
        return {
            text[start : start + _GRAM]
            for text in self.texts.values()
            for start in range(len(text) - _GRAM + 1)
        }


class History:
    """Finds recordings by a part of their text, in a time that does not grow with their number.

    A recording with few secrets has few searches, and needs no index. One that brings a new secret with every
    call would search everything before it each time. So a block that has been searched often enough gets an
    index: for each four characters, the blocks that contain them.
    """

    def __init__(self) -> None:
        self._last = _Block()
        self._plain: list[_Block] = [self._last]
        self._indexed: list[_Block] = []
        self._large: dict[int, Callable[[], str]] = {}
        self._positions: dict[str, list[int]] = defaultdict(list)

    def add(self, number: int, size: int, text: Callable[[], str]) -> None:
        """Note the text of a recording, which is JSON in ASCII; a large one is not stored here, too."""
        if size >= _LARGE:
            self._large[number] = text
            return
        self._last.texts[number] = text()
        self._last.size += size
        if self._last.size >= _BLOCK:
            self._last = _Block()
            self._plain.append(self._last)

    def containing(self, needles: Sequence[str]) -> set[int]:
        """Return the numbers of the recordings that contain one of several texts."""
        numbers: set[int] = set()
        if not needles:
            return numbers
        all_escaped = [json.dumps(needle)[1:-1] for needle in needles]
        for number, read in self._large.items():
            text = read()
            if any(escaped in text for escaped in all_escaped):
                numbers.add(number)
        for escaped in all_escaped:
            for block in (*self._plain, *self._candidates(escaped)):
                numbers.update(block.containing(escaped))
                block.searches += 1
        for block in [block for block in self._plain if block.searches > _SEARCHES]:
            if block is not self._last:
                self._index(block)
        return numbers

    def _candidates(self, needle: str) -> list[_Block]:
        if not self._indexed:
            return []
        grams = (needle[start : start + _GRAM] for start in range(len(needle) - _GRAM + 1))
        rarest = min((self._positions.get(gram, []) for gram in grams), key=len)
        return [self._indexed[position] for position in rarest]

    def _index(self, block: _Block) -> None:
        self._plain.remove(block)
        for gram in block.grams():
            self._positions[gram].append(len(self._indexed))
        self._indexed.append(block)
