"""The engine's knowledge of a service, which each service passes to it."""

from __future__ import annotations

from typing import Callable, Optional

import attrs

from buntime._http import BufferedResponse, Headers, Request
from buntime.errors import BuntimeError

DecodeError = Callable[[Request, BufferedResponse], BuntimeError]


@attrs.frozen
class ServiceAdapter:
    """The engine's knowledge of a service."""

    decode_error: DecodeError
    """Returns the error for a response that is not 2xx."""
    has_rate_limit: Callable[[Headers], bool]
    """Whether the headers of a response have a rate limit."""
    request_id: Callable[[Headers], Optional[str]]
    """Returns the request id in the headers of a response."""
