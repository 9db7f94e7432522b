"""The settings of a client: arguments, then the environment, checked before any I/O."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Optional

from buntime import _validate
from buntime._http import Pairs, Secret, Transport
from buntime.errors import ConfigurationError

DEFAULT_BASE_URL = "https://api.buntime.sh"
_CASSETTES = frozenset({"replay", "record", "record+local"})
_KINDS = _CASSETTES | {"http", "local"}


def api_key(value: str | None) -> Secret | None:
    """Return the key from the argument, else ``BUNTIME_API_KEY``, or ``None`` where neither is set."""
    if value is not None and not isinstance(value, str):
        raise ConfigurationError(f"api_key must be a str, not {type(value).__name__}")
    source = "BUNTIME_API_KEY" if value is None else "api_key"
    # Rebound, so that no traceback with local variables shows it.
    value = Secret(os.environ.get("BUNTIME_API_KEY", "") if value is None else value)
    if not value:
        return None
    if " " in value or not value.isascii() or not value.isprintable():
        raise ConfigurationError(
            f"{source} holds characters that no key has (a line end or a space, perhaps); remove them"
        )
    return value


def transport(base_url: str | None, given: Transport | None, *, has_key: bool) -> Transport:
    """Return the transport that was passed, else the one ``BUNTIME_TRANSPORT`` names."""
    if given is not None:
        if base_url is not None:
            raise ConfigurationError(
                "base_url belongs to the transport; pass it there, or leave transport= out"
            )
        if isinstance(given, type):
            name = given.__name__
            raise ConfigurationError(f"transport is the class {name}, not one of it; pass {name}(...)")
        requests = sys.modules.get("requests")
        if requests is not None and isinstance(given, requests.Session):
            raise ConfigurationError(
                "transport is a session of requests; pass HTTPTransport(base_url, session=session)"
            )
        if not isinstance(given, Transport):
            raise ConfigurationError(
                f"transport is a {type(given).__name__}, not an object with send() and close()"
            )
        return given
    name = os.environ.get("BUNTIME_TRANSPORT") or "http"
    kind, colon, path = name.partition(":")
    if kind not in _KINDS or bool(colon) != (kind in _CASSETTES) or bool(path) != bool(colon):
        raise ConfigurationError(
            f"BUNTIME_TRANSPORT is {name!r}; it can be 'http', 'local', 'replay:PATH', 'record:PATH' "
            "or 'record+local:PATH'"
        )
    if base_url is not None and kind not in {"http", "record"}:
        raise ConfigurationError(
            f"base_url has no meaning with BUNTIME_TRANSPORT={name}; leave one of them out"
        )
    if kind in _CASSETTES:
        return _cassette(kind, path, base_url, has_key=has_key)
    return made(kind, base_url, has_key=has_key)


def _cassette(kind: str, path: str, base_url: str | None, *, has_key: bool) -> Transport:
    if kind == "replay":
        from buntime.transport.replay import ReplayTransport

        return ReplayTransport(path)
    from buntime.transport.recording import RecordingTransport

    inner = made("http" if kind == "record" else "local", base_url, has_key=has_key)
    try:
        return RecordingTransport(path, inner)
    except BaseException:
        inner.close()
        raise


def made(name: str, base_url: str | None = None, *, has_key: bool) -> Transport:
    """Return the transport called ``http``, which needs a key, or ``local``."""
    if name == "local":
        from buntime.transport.local import LocalTransport

        return LocalTransport()
    if not has_key:
        raise ConfigurationError(
            "there is no API key; set BUNTIME_API_KEY or pass api_key= "
            "(or run on this machine without one: BUNTIME_TRANSPORT=local)"
        )
    from buntime.transport.http import HTTPTransport

    return HTTPTransport(base_url or os.environ.get("BUNTIME_BASE_URL") or DEFAULT_BASE_URL)


def seconds(name: str, value: float | None, *, zero: bool = False) -> float | None:
    """Return a duration that can be waited for, or ``None``."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ConfigurationError(f"{name} must be a number of seconds, not {type(value).__name__}")
    if not (value >= 0 if zero else value > 0) or value == float("inf"):
        raise ConfigurationError(
            f"{name} must be {'at least' if zero else 'above'} 0 and finite, not {value}"
        )
    return value


def callback(name: str, value: object) -> None:
    """Check that a callback can be called, or is ``None``."""
    try:
        _validate.optional_callable(name, value)
    except TypeError as error:
        raise ConfigurationError(str(error)) from None


def flag(name: str, value: object) -> bool:
    """Return ``value`` if it is true or false."""
    try:
        return _validate.flag(name, value)
    except TypeError as error:
        raise ConfigurationError(str(error)) from None


def retries(max_retries: int) -> int:
    """Return a number of retries."""
    if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
        raise ConfigurationError(f"max_retries must be an int of at least 0, not {max_retries!r}")
    return max_retries


def hidden(given: Optional[Mapping[str, str]]) -> Optional[Mapping[str, str]]:
    """Return headers as they are, but with values that no ``repr`` shows."""
    if not isinstance(given, Mapping):
        return given
    return {name: Secret(value) if isinstance(value, str) else value for name, value in given.items()}


def headers(given: Optional[Mapping[str, str]], key: Secret | None) -> Pairs:
    """Return the headers of every call; those given win over the key's."""
    try:
        pairs = _validate.header_pairs(given)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(str(error)) from None
    if any(name.lower() == "idempotency-key" for name, _ in pairs):
        raise ConfigurationError(
            "an Idempotency-Key belongs to one call; pass idempotency_key= to sessions.create"
        )
    if key is None or any(name.lower() == "authorization" for name, _ in pairs):
        return pairs
    return (("Authorization", Secret("Bearer " + key)), *pairs)
