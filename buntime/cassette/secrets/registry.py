"""The secrets of a recording, and the search for them in texts."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Optional

from buntime._support.base64_text import LINE_END, unwrap
from buntime._support.spans import Span, split_spans
from buntime.cassette.body import to_json
from buntime.cassette.secrets.placeholders import Placeholders, forms, with_form

_SHORTEST = 4
"""Characters from which on a secret is searched for wherever it may occur; a shorter one is in every text."""
_SHORTEST_CREDENTIAL = 8
"""The same for a value in a header: a test server's key may be a word."""
_LONGEST_FRAGMENT = 256
_FEW = 64
"""Beginnings of secrets up to which a text is searched once for each: that runs in C."""


class Secrets:
    """The secrets known so far, and the texts as which they may occur. The caller sees to locking."""

    def __init__(self) -> None:
        self.placeholders: Placeholders = Placeholders()
        self.new: list[str] = []
        """The texts to search for that are new since the caller last emptied this list, as in JSON."""
        self.longest: int = 0
        """The most characters of a text that is searched for."""
        self._needles: dict[str, str] = {}
        self._escaped: list[str] = []
        self._lengths: dict[str, set[int]] = defaultdict(set)
        """The lengths of the needles with each beginning."""
        self._forwards: list[str] = []
        self._backwards: list[str] = []

    def add(self, name: str, value: Any) -> str:
        """Return the placeholder of a secret, which is searched for in all its forms from now on."""
        known = self._needles.get(value, "|")
        if name.startswith("value:") and "|" not in known:
            return known  # a response repeats it in another field, and replay knows it by its first name
        placeholder = self.placeholders.get(name, value)
        self.define(placeholder, value)
        return placeholder

    def define(self, placeholder: str, value: Any) -> None:
        """Search for a secret that has this placeholder in a recording."""
        self.placeholders.define(placeholder, value)
        shortest = _SHORTEST if placeholder.startswith(("«env:", "«value:")) else _SHORTEST_CREDENTIAL
        if not isinstance(value, str) or len(value) < shortest or "|" not in self._needles.get(value, "|"):
            return
        new = {needle: form for needle, form in forms(value).items() if needle not in self._needles}
        for needle, form in new.items():
            self._needles[needle] = with_form(placeholder, form)
            self._lengths[needle[:_SHORTEST]].add(len(needle))
            self.longest = max(self.longest, len(needle))
        self._escaped += (to_json(needle)[1:-1] for needle in new)
        self.new += self._escaped[len(self._escaped) - len(new) :]

    def may_be_in(self, line: str) -> bool:
        """Whether a secret may be in a line of JSON in ASCII."""
        if not self._escaped:
            return False
        if len(self._escaped) > _FEW or any(map(line.__contains__, self._escaped)):
            return True
        unwrapped = unwrap(line)
        return len(unwrapped) < len(line) and any(map(unwrapped.__contains__, self._escaped))

    def spans(self, text: str, *, is_cut: bool) -> Iterable[Span]:
        """Return the positions of secrets in a text; of one that is cut, also of their parts at its ends.

        Of base64 and hexadecimal digits in several lines, each line has its part: the line ends stay.
        """
        unwrapped = LINE_END.sub("", text) if is_cut else unwrap(text)
        spans = self._spans(text, is_cut)
        if len(unwrapped) == len(text):
            return spans
        in_lines = [
            span for span in self._spans(unwrapped, is_cut) if re.search(r"\|.*(?:base64|hex)", span[2])
        ]
        return chain(spans, _in_lines(text, in_lines) if in_lines else ())

    def _spans(self, text: str, is_cut: bool) -> Iterator[Span]:
        starts: Iterable[int] = range(len(text) - _SHORTEST + 1)
        if len(self._lengths) <= _FEW:
            # A lookahead, as occurrences may overlap.
            heads = (re.finditer(f"(?={re.escape(head)})", text) for head in self._lengths if head in text)
            starts = (match.start() for matches in heads for match in matches)
        # One look-up a character and one a length, so that the number of secrets does not matter.
        for start in starts:
            for length in self._lengths.get(text[start : start + _SHORTEST], ()):
                needle = text[start : start + length]
                if needle in self._needles:
                    yield start, start + len(needle), self._needles[needle]
        if is_cut:
            yield from self._fragments(text)

    def _fragments(self, text: str) -> Iterator[Span]:
        if len(self._forwards) != len(self._needles):
            self._forwards = sorted(self._needles)
            self._backwards = sorted(needle[::-1] for needle in self._needles)
        for length in range(_SHORTEST, min(len(text), _LONGEST_FRAGMENT) + 1):
            if needle := _longer(text[-length:], self._forwards):
                yield len(text) - length, len(text), with_form(self._needles[needle], f"first.{length}")
            if needle := _longer(text[:length][::-1], self._backwards):
                yield 0, length, with_form(self._needles[needle[::-1]], f"after.{len(needle) - length}")


def _in_lines(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Yield the parts in the lines of a text that the spans of the unwrapped text have."""
    line_ends = [match.span() for match in LINE_END.finditer(text)]
    for begin, end, shift, (start, stop, placeholder) in split_spans(spans, line_ends):
        form = [f"after.{begin - start}"] * (begin > start) + [f"first.{end - begin}"] * (end < stop)
        yield begin + shift, end + shift, with_form(placeholder, "+".join(form))


def _longer(beginning: str, ordered: list[str]) -> Optional[str]:
    """Return a text that begins like this and is longer, if there is one."""
    position = bisect_right(ordered, beginning)
    return next((text for text in ordered[position : position + 1] if text.startswith(beginning)), None)
