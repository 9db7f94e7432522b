"""The engine's knowledge of a service, which each service passes to it."""

from __future__ import annotations

from typing import Callable, Optional

import attrs

from buntime._http import BufferedResponse, Headers, Request
from buntime.errors import BuntimeError

DecodeError = Callable[[Request, BufferedResponse], BuntimeError]


@attrs.define(eq=False)
class SharedState:
    """Facts from responses so far, shared by a client and the clients that ``with_options`` returns."""

    rate_limit_headers: Headers = attrs.field(factory=Headers)
    """Of the last response with a rate limit."""
    missing_routes: set[str] = attrs.field(factory=set)
    """Routes that the service turned out not to have."""


@attrs.frozen
class ServiceAdapter:
    """The engine's knowledge of a service."""

    decode_error: DecodeError
    """Returns the error for a response that is not 2xx."""
    request_id: Callable[[Headers], Optional[str]]
    """Returns the request id in the headers of a response."""
    rate_limit_headers: tuple[str, ...] = ()
    """The headers of a response that have the rate limit, in lower case."""
