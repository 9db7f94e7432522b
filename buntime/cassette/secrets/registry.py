"""The secrets of a recording, and the search for them in texts."""

from __future__ import annotations

import bisect
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from buntime.cassette.ids import Span
from buntime.cassette.secrets.encodings import forms
from buntime.cassette.secrets.placeholders import Placeholders, with_form

SHORTEST = 4
"""Characters from which on a secret is searched for wherever it may occur; a shorter one is in every text."""
_LONGEST_FRAGMENT = 256
_FEW = 64
"""Beginnings of secrets up to which a text is searched once for each: that runs in C."""


class Secrets:
    """The secrets known so far, and the texts as which they may occur. The caller sees to locking."""

    def __init__(self) -> None:
        self._placeholders = Placeholders()
        self._values: set[str] = set()
        self._needles: dict[str, str] = {}
        self._escaped: list[str] = []
        self._reported = 0
        self._lengths: dict[str, list[int]] = {}
        """For each beginning of needles their lengths, the longest first and negative."""
        self._ordered: list[str] = []
        self._backwards: list[str] = []

    def add(self, kind: str, value: Any, name: str = "", *, shortest: int = SHORTEST) -> str:
        """Return the placeholder of a secret, which is searched for in all its forms from now on."""
        known = self._needles.get(value) if kind == "value" else None
        if known is not None and "|" not in known:
            return known  # a response repeats it in another field, and replay knows it by its first name
        placeholder = self._placeholders.get(kind, value, name)
        self._search_for(value, placeholder, shortest)
        return placeholder

    def define(self, placeholder: str, value: Any) -> None:
        """Give a secret the placeholder that a recording has for it."""
        self._placeholders.define(placeholder, value)
        self._search_for(value, placeholder, SHORTEST)

    def _search_for(self, value: Any, placeholder: str, shortest: int) -> None:
        if not isinstance(value, str) or len(value) < shortest or value in self._values:
            return
        self._values.add(value)
        for needle, form in forms(value).items():
            if needle not in self._needles:
                self._needles[needle] = with_form(placeholder, form)
                self._escaped.append(json.dumps(needle)[1:-1])
                lengths = self._lengths.setdefault(needle[:SHORTEST], [])
                if -len(needle) not in lengths:
                    bisect.insort(lengths, -len(needle))

    def pop_new(self) -> list[str]:
        """Return the texts that are searched for since the last call, as they are in JSON."""
        if self._reported == len(self._escaped):
            return []
        new, self._reported = self._escaped[self._reported :], len(self._escaped)
        return new

    def may_be_in(self, line: str) -> bool:
        """Whether a secret may be in a line of JSON in ASCII."""
        return len(self._escaped) > _FEW or any(map(line.__contains__, self._escaped))

    def spans(self, text: str) -> Iterator[Span]:
        """Yield the positions of secrets in a text, at each position the longest."""
        starts: Iterable[int] = range(len(text) - SHORTEST + 1)
        if len(self._lengths) <= _FEW:
            # A lookahead, as occurrences may overlap.
            heads = (re.finditer(f"(?={re.escape(head)})", text) for head in self._lengths if head in text)
            starts = (match.start() for matches in heads for match in matches)
        # One look-up a character and one a length, so that the number of secrets does not matter.
        for start in starts:
            for length in self._lengths.get(text[start : start + SHORTEST], ()):
                placeholder = self._needles.get(text[start : start - length])
                if placeholder is not None and start - length <= len(text):
                    yield start, start - length, placeholder
                    break

    def fragments(self, text: str, *, at_start: bool) -> Iterator[Span]:
        """Yield the parts of secrets at the ends of a text: the rest may be in another text."""
        if len(self._ordered) != len(self._needles):
            self._ordered = sorted(self._needles)
            self._backwards = sorted(needle[::-1] for needle in self._needles)
        for length in range(min(len(text), _LONGEST_FRAGMENT), SHORTEST - 1, -1):
            needle = _longer(text[-length:], self._ordered)
            if needle:
                yield len(text) - length, len(text), with_form(self._needles[needle], f"first.{length}")
            needle = _longer(text[:length][::-1], self._backwards)[::-1] if at_start else ""
            if needle:
                yield 0, length, with_form(self._needles[needle], f"after.{len(needle) - length}")


def _longer(beginning: str, ordered: list[str]) -> str:
    """Return a text that begins like this and is longer; an empty one if there is none."""
    position = bisect.bisect_right(ordered, beginning)
    has_longer = position < len(ordered) and ordered[position].startswith(beginning)
    return ordered[position] if has_longer else ""


def replace(pieces: Sequence[str], spans: Iterable[Span]) -> list[str]:
    """Return the pieces of a text with spans replaced; of two that overlap, the first and then the longest.

    A replacement goes into the piece in which its span begins.
    """
    ordered = sorted(spans, key=lambda span: (-span[0], span[1]))
    if not ordered:
        return [*pieces]
    text, begin, done = "".join(pieces), 0, 0
    changed: list[str] = []
    for piece in pieces:
        end = begin + len(piece)
        parts: list[str] = []
        while ordered and ordered[-1][0] < end:
            start, stop, replacement = ordered.pop()
            if start >= done:
                parts += (text[max(begin, done) : start], replacement)
                done = stop
        changed.append("".join((*parts, text[max(begin, done) : end])))
        begin = end
    return changed
