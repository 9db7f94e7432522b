"""The secrets of a recording, and the search for them in texts."""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterable, Iterator
from typing import Any

from buntime.cassette.ids import Span
from buntime.cassette.secrets.detect import occurrences
from buntime.cassette.secrets.encodings import forms
from buntime.cassette.secrets.placeholders import Placeholders, split_form, with_form

SHORTEST = 4
"""Characters from which on a secret is searched for wherever it may occur; a shorter one is in every text."""
SHORTEST_CREDENTIAL = 8
"""The same for a value in a header: a key for a test server may be a plain word."""
_LONGEST_FRAGMENT = 256
_FEW = 64
"""Texts to search for up to which a long text is searched once for each: that runs in C."""


class Secrets:
    """The secrets known so far. The caller sees to locking."""

    def __init__(self) -> None:
        self._placeholders = Placeholders()
        self._needles: dict[str, str] = {}
        self._lengths: dict[str, list[int]] = {}
        self._escaped: list[str] = []
        self._new: list[str] = []
        self._ordered: list[str] = []
        self._reversed: list[str] = []

    def add(self, kind: str, value: Any, name: str = "", *, shortest: int = SHORTEST) -> str:
        """Return the placeholder of a secret, which is searched for in all its forms from now on."""
        known = self._needles.get(value) if kind == "value" and isinstance(value, str) else None
        if known is not None and not split_form(known)[1]:
            return known  # a response repeats it in another field, and replay knows it by its first name
        placeholder, is_new = self._placeholders.get(kind, value, name)
        if is_new and isinstance(value, str) and len(value) >= shortest:
            self.search_for(value, placeholder)
        return placeholder

    def define(self, placeholder: str, value: Any) -> None:
        """Give a secret the placeholder that a recording has for it."""
        self._placeholders.define(placeholder, value)
        if isinstance(value, str) and len(value) >= SHORTEST:
            self.search_for(value, placeholder)

    def search_for(self, value: str, placeholder: str) -> None:
        """Replace a text, in all its forms, by a placeholder, unless it has one."""
        if value in self._needles:
            return
        for text, form in forms(value).items():
            if text not in self._needles:
                self._needles[text] = with_form(placeholder, form)
                self._new.append(text)
                self._escaped.append(json.dumps(text)[1:-1])
                lengths = self._lengths.setdefault(text[:SHORTEST], [])
                if -len(text) not in lengths:
                    bisect.insort(lengths, -len(text))

    def may_be_in(self, text: str) -> bool:
        """Whether a secret may be in a line of JSON in ASCII."""
        return len(self._needles) > _FEW or any(map(text.__contains__, self._escaped))

    def pop_new(self) -> list[str]:
        """Return the texts that are searched for since the last call."""
        new, self._new = self._new, []
        return new

    def spans(self, text: str) -> list[Span]:
        """Return the positions of secrets in a text, at each position the longest."""
        if len(self._needles) <= _FEW and len(text) > len(self._needles):
            needles = [needle for needle in self._needles if needle in text]
            return [
                (start, start + len(needle), self._needles[needle])
                for needle in needles
                for start in occurrences(needle, text)
            ]
        spans: list[Span] = []
        # One look-up a character and one a length, so that the number of secrets does not matter.
        for start in range(len(text) - SHORTEST + 1):
            for length in self._lengths.get(text[start : start + SHORTEST], ()):
                placeholder = self._needles.get(text[start : start - length])
                if placeholder is not None and start - length <= len(text):
                    spans.append((start, start - length, placeholder))
                    break
        return spans

    def fragments(self, text: str, *, at_start: bool, at_end: bool) -> Iterator[Span]:
        """Yield the parts of secrets at the ends of a text, if their other parts may be in other texts."""
        self._order()
        furthest = min(len(text), _LONGEST_FRAGMENT)
        for length in range(furthest, SHORTEST - 1, -1):
            if at_end:
                tail = text[-length:]
                needle = _with_prefix(self._ordered, tail) if tail[:SHORTEST] in self._lengths else None
                if needle is not None:
                    form = f"first.{length}"
                    yield len(text) - length, len(text), with_form(self._needles[needle], form)
            if at_start:
                needle = _with_prefix(self._reversed, text[:length][::-1])
                if needle is not None:
                    form = f"after.{len(needle) - length}"
                    yield 0, length, with_form(self._needles[needle[::-1]], form)

    def _order(self) -> None:
        if len(self._ordered) != len(self._needles):
            self._ordered = sorted(self._needles)
            self._reversed = sorted(needle[::-1] for needle in self._needles)


def _with_prefix(ordered: list[str], prefix: str) -> str | None:
    """Return a text that begins with a prefix and goes on."""
    position = bisect.bisect_right(ordered, prefix)
    has_prefix = position < len(ordered) and ordered[position].startswith(prefix)
    return ordered[position] if has_prefix else None


def replace_spans(text: str, spans: Iterable[Span]) -> str:
    """Return the text with its spans replaced; of two that overlap, the first and then the longest."""
    parts: list[str] = []
    end = 0
    for start, stop, replacement in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start >= end:
            parts += (text[end:start], replacement)
            end = stop
    return "".join((*parts, text[end:]))
