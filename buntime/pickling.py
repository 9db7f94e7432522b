"""How a client goes to another process: with its options, without its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from buntime._http import CREDENTIALS
from buntime.client import settings
from buntime.errors import ConfigurationError

if TYPE_CHECKING:
    from buntime.engine.caller import Caller


def portable(caller: Caller) -> dict[str, Any]:
    """Return the arguments of a caller but for its key; ``TypeError`` where one does not travel."""
    from buntime.transport.http import HTTPTransport

    if not isinstance(caller.transport, HTTPTransport):
        raise TypeError(
            f"a client over a {type(caller.transport).__name__} does not pickle, as what that holds lives "
            "in this process; one over an HTTPTransport does"
        )
    names = {name.lower() for name, _ in caller.headers}
    secret = sorted((names & CREDENTIALS) - {"authorization"})
    if secret:
        raise TypeError(
            f"a client with the header {secret[0]!r} does not pickle, as that is a credential; make one in "
            "the other process"
        )
    return {
        "transport": caller.transport,
        "headers": tuple(pair for pair in caller.headers if pair[0].lower() != "authorization"),
        "timeout": caller.timeout,
        "deadline": caller.deadline,
        "policy": caller.policy,
        "on_retry": caller.on_retry,
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
