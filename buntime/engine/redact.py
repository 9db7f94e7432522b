"""Removing credentials from an error: a service or proxy may have echoed them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from buntime._http import Headers
from buntime.errors import BuntimeError

_HIDDEN = "[hidden]"


def redact(error: BuntimeError, secrets: Iterable[str]) -> None:
    """Replace the secrets in every attribute of an error."""
    # OSError keeps these two outside of __dict__.
    names = ["args", *vars(error), *(("strerror", "filename") if isinstance(error, OSError) else ())]
    for secret in secrets:
        for name in names:
            setattr(error, name, _without(secret, getattr(error, name)))


def redact_text(text: str, secrets: Iterable[str]) -> str:
    """Return a text with the secrets replaced."""
    for secret in secrets:
        text = text.replace(secret, _HIDDEN)
    return text


def _without(secret: str, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(secret, _HIDDEN) if secret in value else value
    if isinstance(value, bytes):
        return value.replace(secret.encode(), _HIDDEN.encode())
    if isinstance(value, (list, tuple)):
        return type(value)(_without(secret, item) for item in value)
    if isinstance(value, Headers):
        return Headers(_without(secret, list(value.items())))
    if isinstance(value, dict):
        return {_without(secret, key): _without(secret, item) for key, item in value.items()}
    return value
