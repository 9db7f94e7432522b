"""A transport against a scripted server, and requests to send through it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from buntime.errors import APIConnectionError
from buntime.transport import HTTPTransport, Request
from tests.support.loopback import Handler, LoopbackServer

PATIENT = Request("POST", "/execute", body=b"{}", connect_timeout=20, read_timeout=20)
"""A request that waits longer than a test takes."""
HASTY = Request("POST", "/execute", body=b"{}", connect_timeout=20, read_timeout=0.1)
"""A request that soon stops waiting for an answer."""


@contextmanager
def serving(*handlers: Handler, **options: Any) -> Iterator[tuple[LoopbackServer, HTTPTransport]]:
    """Start a server with this script, and a transport to it with these options."""
    with LoopbackServer(*handlers) as server, closing(HTTPTransport(server.url, **options)) as transport:
        yield server, transport


def failed(transport: HTTPTransport, request: Request = PATIENT) -> APIConnectionError:
    """Send and read; return the error, which must have come from the library below."""
    with pytest.raises(APIConnectionError) as caught:
        transport.send(request).read()
    assert caught.value.__cause__ is not None
    return caught.value
