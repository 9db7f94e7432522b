"""Secrets that are known by their names: of a field, a variable, a header."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

import attrs

from buntime._http import Pairs
from buntime.cassette.secrets.detect import looks_secret
from buntime.cassette.secrets.placeholders import PLACEHOLDER

_LONG = 12
"""Characters from which on the value of an environment variable is a secret, whatever its name."""


@attrs.frozen
class NamedSecret:
    """A value, the kind and the name of its placeholder, and its location."""

    kind: str
    name: str
    value: Any
    location: str


def named_secrets(
    value: Any, env: Optional[Mapping[str, Any]] = None, *, location: str = "", name: Optional[str] = None
) -> Iterator[NamedSecret]:
    """Yield the values in a JSON value that are secret by their names.

    ``env`` is the part of it that has environment variables; ``name`` is that of a field around it.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            inner = f"{location} {key}"
            if value is env:
                if is_named_secret(key, item, env=True):
                    yield NamedSecret("env", key, item, inner)
            elif isinstance(item, (dict, list)) or name is not None or looks_secret(key):
                yield from named_secrets(item, env, location=inner, name=secret_name(key, name))
    elif isinstance(value, list):
        for item in value:
            yield from named_secrets(item, env, location=location, name=name)
    elif name is not None and is_named_secret(name, value):
        yield NamedSecret("value", name, value, location)


def secret_name(key: str, above: Optional[str]) -> Optional[str]:
    """Return the name under which a field's values are secret: its own, or that of a field above it."""
    if above is not None:
        return f"{above}.{key}"
    return key if looks_secret(key) else None


def is_named_secret(name: str, value: Any, *, env: bool = False) -> bool:
    """Whether a value is a secret: one in a field that is named so, or a variable named so or long."""
    if isinstance(value, str):
        is_secret = bool(value) and PLACEHOLDER.fullmatch(value) is None
        return is_secret and (not env or looks_secret(name) or len(value) >= _LONG)
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not env


def credentials(headers: Pairs) -> Iterator[tuple[str, str, str]]:
    """Yield the kind, the value and the name of each credential in a request's headers."""
    for name, value in headers:
        lower = name.lower()
        if lower == "authorization":
            yield "api_key", value.partition(" ")[2] or value, ""
        elif lower == "cookie":
            for part in value.split(";"):
                cookie, _, content = part.strip().partition("=")
                yield "cookie", content, cookie
        elif looks_secret(name):
            yield "header", value, name


def url_password(value: Any) -> Optional[str]:
    """Return the password in the URL of a database, say: programs take such URLs apart."""
    if isinstance(value, str) and "://" in value and len(value) >= _LONG:
        with suppress(ValueError):
            password = urlsplit(value).password
            return unquote(password) if password else None
    return None
