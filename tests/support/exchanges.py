"""A transport to a scripted server, and requests to send through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from buntime.errors import APIConnectionError
from buntime.transport import HTTPTransport, Request
from tests.support.loopback import Handler, LoopbackServer

PATIENT = Request("POST", "/execute", body=b"{}", connect_timeout=20, read_timeout=20)
"""A request whose timeouts exceed the duration of a test."""
HASTY = Request("POST", "/execute", body=b"{}", connect_timeout=20, read_timeout=0.1)
"""A request with a short read timeout."""


@contextmanager
def serving(*handlers: Handler, **options: Any) -> Iterator[tuple[LoopbackServer, HTTPTransport]]:
    """Start a server with these handlers, and a transport to it with these options."""
    with LoopbackServer(*handlers) as server, closing(HTTPTransport(server.url, **options)) as transport:
        yield server, transport


def connection_error(transport: HTTPTransport, request: Request = PATIENT) -> APIConnectionError:
    """Send and read; return the error, which must have a cause in the HTTP library."""
    with pytest.raises(APIConnectionError) as caught:
        transport.send(request).read()
    assert caught.value.__cause__ is not None
    return caught.value
