"""The secrets of the program that replays, for the placeholders of the recording."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from buntime.cassette.secrets.detect import url_password
from buntime.cassette.secrets.encodings import decode, encode, forms
from buntime.cassette.secrets.placeholders import PLACEHOLDER, Placeholders, Scalar, name_of, split_form

_MARK = "«"
_MISSING: Any = object()

Pair = tuple[str, Any]
"""A recorded text with placeholders, and the value that was sent in its place."""


class Bindings:
    """Which value each placeholder stands for in this run. The caller sees to locking.

    A recorded request is a template: the texts between its placeholders must be equal, and each placeholder
    must have the same value throughout the run. Two placeholders of one name have different values, as they
    had in the recording.
    """

    def __init__(self) -> None:
        self._values: dict[str, Scalar] = {}
        self._owners: dict[tuple[str, Any], str] = {}
        self._encoded: dict[str, str] = {}
        """The texts of placeholders whose form does not determine the secret."""
        self._credentials = Placeholders()
        self.new: list[str] = []
        """The placeholders bound since the caller last emptied this list."""

    def __contains__(self, placeholder: str) -> bool:
        return split_form(placeholder)[0] in self._values or placeholder in self._encoded

    def items(self) -> Iterable[tuple[str, Scalar]]:
        """Return the placeholders and their values."""
        return list(self._values.items())

    def bind_credential(self, kind: str, value: str, name: str = "") -> None:
        """Bind a secret that is not in a recorded request; they are numbered as in the recording."""
        self._bind({self._credentials.get(kind, value, name): value}, {})

    def value_of(self, placeholder: str) -> Any:
        """Return the value of a placeholder in its form, or the placeholder if it has none."""
        if placeholder in self._encoded:
            return self._encoded[placeholder]
        base, form = split_form(placeholder)
        value = self._values.get(base, _MISSING)
        if value is _MISSING:
            return placeholder
        return encode(value, form) if form and isinstance(value, str) else value

    def fill(self, value: Any) -> Any:
        """Return a recorded JSON value with the secrets of this run."""
        if isinstance(value, str):
            if _MARK not in value:
                return value
            if PLACEHOLDER.fullmatch(value):
                return self.value_of(value)
            return PLACEHOLDER.sub(lambda match: str(self.value_of(match.group())), value)
        if isinstance(value, dict):
            return {str(self.fill(name)): self.fill(item) for name, item in value.items()}
        return [self.fill(item) for item in value] if isinstance(value, list) else value

    def match(self, recorded: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
        """Whether a request is the recorded one with other secrets; if so, bind those that are new."""
        pairs: list[Pair] = []
        if not _pair_up(recorded, sent, pairs):
            return False
        # A field that is a secret as a whole determines it, and so does a text with one secret.
        pairs.sort(key=lambda pair: (PLACEHOLDER.fullmatch(pair[0]) is None, _count(pair[0])))
        values: dict[str, Scalar] = {}
        texts: dict[str, str] = {}
        if not all(self._match_text(template, value, values, texts) for template, value in pairs):
            return False
        return self._bind(values, texts)

    def _bind(self, values: Mapping[str, Scalar], texts: Mapping[str, str]) -> bool:
        owners = {(name_of(base), (type(value), value)): base for base, value in values.items()}
        if len(owners) < len(values) or any(
            self._owners.get(owner, base) != base for owner, base in owners.items()
        ):
            return False
        self._values.update(values)
        self._owners.update(owners)
        self._encoded.update(texts)
        self.new += [*values, *texts]
        for base, value in values.items():
            kind, _, name = name_of(base).partition(":")
            password = url_password(value) if kind == "env" else None
            if password:
                self.bind_credential("env", password, f"{name}.password")
        return True

    def _match_text(
        self, template: str, value: Any, values: dict[str, Scalar], texts: dict[str, str]
    ) -> bool:
        if PLACEHOLDER.fullmatch(template):
            return self._match_placeholder(template, value, values, texts)
        return isinstance(value, str) and self._match_parts(template, value, values, texts)

    def _match_placeholder(
        self, placeholder: str, value: Any, values: dict[str, Scalar], texts: dict[str, str]
    ) -> bool:
        """Match a placeholder with the value in its place, and note the value if it is a new one."""
        base, form = split_form(placeholder)
        known = values.get(base, self._values.get(base, _MISSING))
        if known is not _MISSING:
            if isinstance(known, str) and isinstance(value, str):
                return value in {encode(known, form), *_texts_of(known)}
            return type(known) is type(value) and known == value
        if placeholder in self._encoded or placeholder in texts:
            return bool(texts.get(placeholder, self._encoded.get(placeholder)) == value)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
            return False
        secret = decode(value, form) if isinstance(value, str) and form else value
        if secret is not None:
            values[base] = secret
        else:
            texts[placeholder] = str(value)
        return True

    def _match_parts(
        self, template: str, text: str, values: dict[str, Scalar], texts: dict[str, str]
    ) -> bool:
        """Match a text in one pass from left to right, so that it takes a time linear in its length.

        Placeholders without a value reach up to the next part that is known.
        """
        position = 0
        unknown: list[str] = []
        parts = list(_parts(template))
        length = self._length_of_unknown(parts, text, values, texts)
        for index, part in enumerate(parts):
            choices = self._choices(part, values, texts) if PLACEHOLDER.fullmatch(part) else [part]
            if not choices and length:
                if not self._match_placeholder(part, text[position : position + length], values, texts):
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
                if start < 0 or not self._match_run(unknown, text[position:start], values, texts):
                    return False
                position, unknown = start + len(choice), []
        if unknown:
            return self._match_run(unknown, text[position:], values, texts)
        return position == len(text)

    def _length_of_unknown(
        self, parts: list[str], text: str, values: dict[str, Scalar], texts: dict[str, str]
    ) -> int:
        """Return the length of the only placeholder without a value, however often it occurs; else 0."""
        unknown: list[str] = []
        rest = len(text)
        for part in parts:
            choices = self._choices(part, values, texts) if PLACEHOLDER.fullmatch(part) else [part]
            rest -= len(choices[0]) if choices else 0
            unknown += [] if choices else [part]
        return rest // len(unknown) if len(set(unknown)) == 1 and rest > 0 and rest % len(unknown) == 0 else 0

    def _match_run(
        self, placeholders: list[str], text: str, values: dict[str, Scalar], texts: dict[str, str]
    ) -> bool:
        """Match placeholders without a value; the ends of several in a row are not known."""
        if len(set(placeholders)) == 1:
            part = text[: len(text) // len(placeholders)]
            return part * len(placeholders) == text and self._match_placeholder(
                placeholders[0], part, values, texts
            )
        return len(text) >= len(placeholders)

    def _choices(self, placeholder: str, values: dict[str, Scalar], texts: dict[str, str]) -> list[str]:
        """Return the texts that a placeholder may stand for, the one in its form first; empty if unknown."""
        encoded = texts.get(placeholder, self._encoded.get(placeholder))
        if encoded is not None:
            return [encoded]
        base, form = split_form(placeholder)
        value = values.get(base, self._values.get(base, _MISSING))
        if value is _MISSING:
            return []
        if not isinstance(value, str):
            return [str(value)]
        return [encode(value, form), *_texts_of(value)]


@functools.lru_cache(maxsize=256)
def _texts_of(value: str) -> tuple[str, ...]:
    return tuple(sorted(forms(value), key=len, reverse=True))


def _count(template: str) -> int:
    return len(set(PLACEHOLDER.findall(template)))


def _parts(template: str) -> Iterator[str]:
    """Yield the placeholders of a text and the texts between them."""
    end = 0
    for match in PLACEHOLDER.finditer(template):
        if match.start() > end:
            yield template[end : match.start()]
        yield match.group()
        end = match.end()
    if end < len(template):
        yield template[end:]


def _next(choices: list[str], text: str, start: int, *, at_end: bool) -> tuple[int, str]:
    """Return the position of the first of several texts, and that text; -1 if there is none."""
    if at_end:
        ends = (choice for choice in choices if text.endswith(choice) and len(text) - len(choice) >= start)
        last: Optional[str] = next(ends, None)
        return (-1, "") if last is None else (len(text) - len(last), last)
    positions = [(text.find(choice, start), choice) for choice in choices]
    return min((each for each in positions if each[0] >= 0), key=lambda each: each[0], default=(-1, ""))


def _pair_up(recorded: Any, sent: Any, pairs: list[Pair]) -> bool:
    """Whether two values differ in nothing but recorded texts with placeholders; add those to ``pairs``."""
    if isinstance(recorded, str):
        if _MARK in recorded:
            pairs.append((recorded, sent))
            return True
        return isinstance(sent, str) and recorded == sent
    if type(recorded) is not type(sent):
        return False
    if isinstance(recorded, list):
        return len(recorded) == len(sent) and all(
            _pair_up(one, other, pairs) for one, other in zip(recorded, sent)
        )
    if not isinstance(recorded, dict):
        return bool(recorded == sent)
    if len(recorded) != len(sent):
        return False
    hidden = [name for name in recorded if name not in sent]
    others = [name for name in sent if name not in recorded]
    if not all(_MARK in name for name in hidden):
        return False
    pairs += zip(hidden, others)
    return all(_pair_up(recorded[name], sent[name], pairs) for name in recorded if name in sent) and all(
        _pair_up(recorded[name], sent[other], pairs) for name, other in zip(hidden, others)
    )
