"""Taking credentials out of an error: a service or proxy may have sent them back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from buntime._http import CREDENTIALS, Pairs
from buntime.errors import BuntimeError

_HIDDEN = "[hidden]"
_SHORTEST = 6


def secrets_of(headers: Pairs) -> tuple[str, ...]:
    """Return the credentials in headers, each without its scheme.

    One of less than 6 characters is left out: it would be found in the middle of words.
    """
    values = (str(value).split()[-1:] for name, value in headers if name.lower() in CREDENTIALS)
    return tuple(secret for found in values for secret in found if len(secret) >= _SHORTEST)


def redact(error: BuntimeError, secrets: Iterable[str]) -> None:
    """Replace the secrets in everything that the error says."""
    for secret in secrets:
        error.args = tuple(_without(secret, value) for value in error.args)
        for name, value in list(vars(error).items()):
            setattr(error, name, _without(secret, value))


def _without(secret: str, value: Any) -> Any:
    if isinstance(value, str):
        return value.replace(secret, _HIDDEN) if secret in value else value
    if isinstance(value, bytes):
        return value.replace(secret.encode(), _HIDDEN.encode())
    if isinstance(value, list):
        return [_without(secret, item) for item in value]
    if isinstance(value, dict):
        return {_without(secret, key): _without(secret, item) for key, item in value.items()}
    return value
