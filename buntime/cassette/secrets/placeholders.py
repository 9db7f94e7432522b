"""The texts that stand in a cassette for secrets: ``«env:DB_PASSWORD»``, ``«api_key|base64»``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, product
from typing import Any, Optional, Union

from buntime._support.text_forms import ESCAPES, IN_URLS, STEPS

Scalar = Union[str, int, float]

_PLAIN = re.compile("[A-Za-z0-9_.-]+")
"""A text that the steps other than these leave as it is."""
_CHANGING_ALL = [step for step in STEPS if "64" in step or "hex" in step]
_SHORTEST_BASE64 = 6
"""Characters of base64 that a secret must determine; shorter texts are in every file."""
_STEP = "|".join([r"(?:first|after)\.[0-9]+", *map(re.escape, sorted(STEPS, key=len, reverse=True))])
FORM = rf"\|(?:{_STEP})(?:\+(?:{_STEP}))*"
"""The end of a placeholder for a form: its steps in their order."""
PLACEHOLDER = re.compile(
    rf"«(?:api_key|idempotency_key|(?:cookie|env|header|value):[^«»]+?)(?::\d+)?(?:{FORM})?»"
)
"""A secret in a cassette: its kind and name, from the second value on a number, and its form if encoded."""
_AFTER_NAME = re.compile(r"(?::\d+)?(?:\|[^|]*)?»\Z")
_RESERVED = re.compile(r"[«»|:]")


def forms(value: str) -> dict[str, str]:
    """Return the texts that a secret may stand as, each with the name of its form: ``""`` for itself.

    Of forms that are equal, the first is the name.
    """
    texts = {value: ""}
    steps: Iterable[str] = _CHANGING_ALL
    if not _PLAIN.fullmatch(value):
        for _ in range(3):  # JSON in JSON in JSON
            for (text, form), step in product([*texts.items()], ESCAPES):
                texts.setdefault(STEPS[step][0](text), f"{form}+{step}".lstrip("+"))
        escapes = [step for step in ESCAPES if step in texts.values()]
        escaped = (f"{step}+{form}" for step in escapes for form in STEPS if "64" in form or form in IN_URLS)
        twice = (f"{form}+{form}" for form in IN_URLS if form in texts.values())
        steps = chain(STEPS, escaped, twice)
    for form in steps:
        text = encode(value, form)
        if "base64" not in form or len(text) >= _SHORTEST_BASE64:
            texts.setdefault(text, form)
    return texts


def encode(value: str, form: str) -> str:
    """Return a text in a form; ``first.3`` is its first three characters, ``after.3`` the rest."""
    for step in filter(None, form.split("+")):
        kind, _, count = step.partition(".")
        if kind in {"first", "after"}:
            value = value[: int(count)] if kind == "first" else value[int(count) :]
        else:
            value = STEPS[step][0](value)
    return value


def decode(text: str, form: str) -> Optional[str]:
    """Return the text of which this is a form; ``None`` if it is not one, or does not determine the text."""
    with suppress(LookupError, ValueError):
        for step in filter(None, reversed(form.split("+"))):
            text = STEPS[step][1](text)
        return text
    return None


def split_form(placeholder: str) -> tuple[str, str]:
    """Return the placeholder of the secret itself, and the name of the form that this one is for."""
    base, _, form = placeholder[:-1].partition("|")
    return f"{base}»", form


def with_form(placeholder: str, form: str) -> str:
    """Return the placeholder for a secret in a form, which may be in another one already."""
    return f"{placeholder[:-1]}{'+' if '|' in placeholder else '|'}{form}»" if form else placeholder


def name_of(placeholder: str) -> str:
    """Return the name in a placeholder: the same for all values of a variable, in all encodings."""
    return _AFTER_NAME.sub("", placeholder)[1:]


class Placeholders:
    """Names secrets in the order of their appearance. The caller sees to locking."""

    def __init__(self) -> None:
        self._by_name: dict[str, dict[tuple[type, Any], str]] = defaultdict(dict)

    def items(self) -> Iterator[tuple[str, Scalar]]:
        """Yield the placeholders with their values."""
        for values in self._by_name.values():
            yield from ((placeholder, value) for (_, value), placeholder in values.items())

    def define(self, placeholder: str, value: Scalar) -> None:
        """Name a value as a recording does."""
        self._by_name[name_of(placeholder)][type(value), value] = placeholder

    def get(self, name: str, value: Scalar) -> str:
        """Return the placeholder of a value; ``name`` is ``api_key``, or as ``env:ANY TEXT``."""
        kind, colon, text = name.partition(":")
        name = f"{kind}:{_RESERVED.sub('-', text) or '-'}" if colon else kind
        known = self._by_name[name]
        return known.setdefault((type(value), value), f"«{name}:{len(known) + 1}»" if known else f"«{name}»")
