"""How a client goes to another process: with its options, without its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buntime._http import CREDENTIALS
from buntime.client import settings
from buntime.errors import ConfigurationError

if TYPE_CHECKING:
    from buntime.engine.caller import Exchange


def portable(exchange: Exchange) -> dict[str, Any]:
    """Return the arguments of an exchange but for its key; ``TypeError`` where one does not travel."""
    from buntime.transport.http import HTTPTransport

    if not isinstance(exchange.transport, HTTPTransport):
        raise TypeError(
            f"a client over a {type(exchange.transport).__name__} does not pickle, as what that holds lives "
            "in this process; one over an HTTPTransport does"
        )
    names = {name.lower() for name, _ in exchange.headers}
    secret = sorted((names & CREDENTIALS) - {"authorization"})
    if secret:
        raise TypeError(
            f"a client with the header {secret[0]!r} does not pickle, as that is a credential; make one in "
            "the other process"
        )
    return {
        "transport": exchange.transport,
        "headers": tuple(pair for pair in exchange.headers if pair[0].lower() != "authorization"),
        "timeout": exchange.timeout,
        "deadline": exchange.deadline,
        "policy": exchange.policy,
        "on_retry": exchange.on_retry,
        "has_key": "authorization" in names,
    }


def restored(state: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments again, with the key of this process."""
    arguments = dict(state)
    if not arguments.pop("has_key"):
        return arguments
    key = settings.api_key(None)
    if key is None:
        raise ConfigurationError(
            "a client was unpickled and there is no API key, as it travels without; set BUNTIME_API_KEY"
        )
    return {**arguments, "headers": settings.headers(dict(arguments["headers"]), key)}
