"""The names that stand in a cassette for secrets: ``«env:DB_PASSWORD»``."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any, Union

from buntime.cassette.secrets.encodings import FORM

Scalar = Union[str, int, float]

PLACEHOLDER = re.compile(
    rf"«(?:api_key|idempotency_key|(?:cookie|env|header|value):[^«»]+?)(?::\d+)?(?:{FORM})?»"
)
"""A secret in a cassette: its kind and name, a number from the second value of that name on, and its form.

The form is left out for a secret that stands there as it is.
"""
_AFTER_NAME = re.compile(r"(?::\d+)?(?:\|[^|]*)?»\Z")
_RESERVED = re.compile(r"[«»|:]")


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

    def define(self, placeholder: str, value: Scalar) -> None:
        """Name a value as a recording does."""
        self._by_name[name_of(placeholder)][type(value), value] = placeholder

    def get(self, kind: str, value: Scalar, name: str = "") -> str:
        """Return the placeholder of a value.

        ``kind`` is ``api_key``, ``cookie``, ``env``, ``header`` or ``value``; ``name`` may be any text.
        """
        full = f"{kind}:{_RESERVED.sub('-', name) or '-'}" if name else kind
        known = self._by_name[full]
        return known.setdefault((type(value), value), f"«{full}:{len(known) + 1}»" if known else f"«{full}»")
