"""The secrets of the program that replays, for the placeholders of the recording."""

from __future__ import annotations

import functools
import re
from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from buntime._support.json_values import map_texts
from buntime.cassette.secrets.detect import url_password
from buntime.cassette.secrets.placeholders import (
    PLACEHOLDER,
    Placeholders,
    Scalar,
    decode,
    encode,
    forms,
    name_of,
    split_form,
)

_MARK = "«"
_SPLIT = re.compile(f"({PLACEHOLDER.pattern})").split

Pair = tuple[str, Any]
"""A recorded text with placeholders, and the value that was sent in its place."""
Values = MutableMapping[str, Scalar]
"""The value of each placeholder; of one whose form does not determine the secret, the text in that form."""


class Bindings:
    """Which value each placeholder stands for in this run. The caller sees to locking.

    A recorded request is a template: the texts between its placeholders must be equal, and each placeholder
    must have the same value throughout the run. Two placeholders of one name have different values, as they
    had in the recording.
    """

    def __init__(self) -> None:
        self._values: dict[str, Scalar] = {}
        self._owners: dict[tuple[str, type, Any], str] = {}
        self._credentials = Placeholders()
        self.new: list[str] = []
        """The placeholders bound since the caller last emptied this list."""

    def items(self) -> Iterable[tuple[str, Scalar]]:
        """Return the placeholders and the secrets themselves."""
        return [(placeholder, value) for placeholder, value in self._values.items() if "|" not in placeholder]

    def bind_credential(self, name: str, value: str) -> None:
        """Bind a secret that is not in a recorded request; they are numbered as in the recording."""
        self._bind({self._credentials.get(name, value): value})

    def value_of(self, placeholder: str) -> Any:
        """Return the value of a placeholder in its form, or the placeholder if it has none."""
        base, form = split_form(placeholder)
        value = self._values.get(placeholder, self._values.get(base, placeholder))
        has_form = placeholder in self._values or base not in self._values
        return value if has_form or not isinstance(value, str) else encode(value, form)

    def fill(self, value: Any) -> Any:
        """Return a recorded JSON value with the secrets of this run."""
        return map_texts(value, self.fill_text)

    def fill_text(self, text: str) -> Any:
        """As :meth:`fill`, of a text."""
        if _MARK not in text:
            return text
        if PLACEHOLDER.fullmatch(text):
            return self.value_of(text)
        return PLACEHOLDER.sub(lambda match: str(self.value_of(match.group())), text)

    def match(self, recorded: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
        """Whether a request is the recorded one with other secrets; if so, bind those that are new."""
        pairs: list[Pair] = []
        if not _pair_up(recorded, sent, pairs):
            return False
        # A field that is a secret as a whole determines it, and so does a text with one secret.
        pairs.sort(
            key=lambda pair: (PLACEHOLDER.fullmatch(pair[0]) is None, len({*PLACEHOLDER.findall(pair[0])}))
        )
        values = ChainMap({}, self._values)
        is_match = all(_match(template, value, values) for template, value in pairs)
        return is_match and self._bind(values.maps[0])

    def _bind(self, values: Values) -> bool:
        secrets = [(name_of(base), value, base) for base, value in values.items() if "|" not in base]
        owners = ChainMap({}, self._owners)
        if any(owners.setdefault((name, type(value), value), base) != base for name, value, base in secrets):
            return False
        self._values.update(values)
        self._owners.update(owners.maps[0])
        self.new += values
        for name, value, _ in secrets:
            if name.startswith("env:") and (password := url_password(value)):
                self.bind_credential(f"{name}.password", password)
        return True


def _match_placeholder(placeholder: str, value: Any, values: Values) -> bool:
    """Match a placeholder with the value in its place, and note the value if it is a new one."""
    base, form = split_form(placeholder)
    known = values.get(base, values.get(placeholder))
    if known is not None:
        if isinstance(known, str) and isinstance(value, str):
            return value in _choices(placeholder, values)
        return type(known) is type(value) and known == value
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
        return False
    secret = decode(value, form) if isinstance(value, str) and form else value
    values[placeholder if secret is None else base] = value if secret is None else secret
    return True


def _match(template: str, value: Any, values: Values) -> bool:
    """Match a text with the length of what is unknown, if that is determined, or else without it.

    A secret that is known may be in another form, and so of another length, than in the recording.
    """
    if PLACEHOLDER.fullmatch(template):
        return _match_placeholder(template, value, values)
    parts = [part for part in _SPLIT(template) if part]
    lengths = (_length_of_unknown(parts, value, values), 0) if isinstance(value, str) else ()
    for length in dict.fromkeys(lengths):
        bound: ChainMap[str, Scalar] = ChainMap({}, values)
        if _match_in_order(parts, value, length, bound):
            values.update(bound.maps[0])
            return True
    return False


def _match_in_order(parts: Sequence[str], text: str, length: int, values: Values) -> bool:
    """Match a text in one pass from left to right, so that it takes a time linear in its length.

    A placeholder without a value has that length, or if it is 0 reaches up to the next part that is known.
    """
    position = 0
    unknown: list[str] = []
    for index, part in enumerate(parts):
        choices = _choices(part, values)
        if not choices and length:
            if not _match_placeholder(part, text[position : position + length], values):
                return False
            position += length
        elif not choices:
            unknown.append(part)
        elif not unknown:
            choice = next((choice for choice in choices if text.startswith(choice, position)), None)
            if choice is None:
                return False
            position += len(choice)
        else:
            start, choice = _next(choices, text, position + 1, at_end=index == len(parts) - 1)
            if start < 0 or not _match_run(unknown, text[position:start], values):
                return False
            position, unknown = start + len(choice), []
    return _match_run(unknown, text[position:], values) if unknown else position == len(text)


def _length_of_unknown(parts: Sequence[str], text: str, values: Values) -> int:
    """Return the length of the only placeholder without a value, however often it occurs; else 0."""
    choices = [_choices(part, values) for part in parts]
    unknown = [part for part, choice in zip(parts, choices) if not choice]
    rest = len(text) - sum(len(choice[0]) for choice in choices if choice)
    return rest // len(unknown) if len(set(unknown)) == 1 and rest > 0 and rest % len(unknown) == 0 else 0


def _match_run(placeholders: list[str], text: str, values: Values) -> bool:
    """Match placeholders without a value; the ends of several in a row are not known."""
    if len(set(placeholders)) > 1:
        return len(text) >= len(placeholders)
    part = text[: len(text) // len(placeholders)]
    return part * len(placeholders) == text and _match_placeholder(placeholders[0], part, values)


def _choices(part: str, values: Values) -> list[str]:
    """Return the texts that a part may stand for, the one in its form first; empty if unknown."""
    if PLACEHOLDER.fullmatch(part) is None:
        return [part]
    base, form = split_form(part)
    value = values.get(base)
    if isinstance(value, str):
        return [encode(value, form), *_texts_of(value)]
    value = values.get(part, value)
    return [] if value is None else [str(value)]


@functools.lru_cache(maxsize=256)
def _texts_of(value: str) -> tuple[str, ...]:
    return tuple(sorted(forms(value), key=len, reverse=True))


def _next(choices: Iterable[str], text: str, start: int, *, at_end: bool) -> tuple[int, str]:
    """Return the position of the first of several texts, and that text; -1 if there is none."""
    if at_end:
        ends = (choice for choice in choices if text.endswith(choice, start))
        return next(((len(text) - len(choice), choice) for choice in ends), (-1, ""))
    positions = [(text.find(choice, start), choice) for choice in choices]
    return min((each for each in positions if each[0] >= 0), key=lambda each: each[0], default=(-1, ""))


def _pair_up(recorded: Any, sent: Any, pairs: list[Pair]) -> bool:
    """Whether two values differ in nothing but recorded texts with placeholders; add those to ``pairs``."""
    if isinstance(recorded, str) and _MARK in recorded:
        pairs.append((recorded, sent))
        return True
    if type(recorded) is not type(sent) or not isinstance(recorded, (dict, list)):
        return type(recorded) is type(sent) and bool(recorded == sent)
    if len(recorded) != len(sent):
        return False
    if isinstance(recorded, list):
        return all(_pair_up(*each, pairs) for each in zip(recorded, sent))
    hidden = [name for name in recorded if name not in sent]
    if not all(_MARK in name for name in hidden):
        return False
    names = dict(zip(hidden, [name for name in sent if name not in recorded]))
    pairs += names.items()
    return all(_pair_up(value, sent[names.get(name, name)], pairs) for name, value in recorded.items())
