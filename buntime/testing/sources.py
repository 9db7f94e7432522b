"""Where cassettes are recorded from."""

from __future__ import annotations

import threading
from typing import Any, Callable, Union

from buntime._http import Request, Response, Transport
from buntime.client import settings
from buntime.client.client import Buntime
from buntime.client.settings import BUNTIME_SH, RUNLOOP, ServiceSettings
from buntime.errors import ConfigurationError
from buntime.wire.dialect import DIALECT

Source = Union[str, Callable[[], Transport]]
"""A name of :data:`~buntime.testing.choice.SOURCES`, or a function that makes the transport."""


class HTTPServices:
    """HTTP to both services, each at its own address; the path of a request shows its service.

    A service whose key is not set is a :class:`~buntime.ConfigurationError`, for ``first`` immediately.
    """

    def __init__(self, first: ServiceSettings) -> None:
        self._lock = threading.Lock()
        self._transports: dict[ServiceSettings, Transport] = {}
        self._transport_of(first)

    def _transport_of(self, service: ServiceSettings) -> Transport:
        with self._lock:
            if service not in self._transports:
                if settings.api_key(None, service) is None:
                    raise ConfigurationError(
                        f"no API key: set {service.key_variable}; or run on this machine without an account: "
                        "pytest --buntime-source=local, BUNTIME_TRANSPORT=local or source='local'"
                    )
                self._transports[service] = settings.make_transport("http", service=service)
            return self._transports[service]

    def send(self, request: Request, /) -> Response:
        """Send to the service of the request."""
        is_default = DIALECT.serves(f"{request.origin or ''}{request.path}")
        return self._transport_of(BUNTIME_SH if is_default else RUNLOOP).send(request)

    def close(self) -> None:
        """Close the connections to both."""
        for transport in self._transports.values():
            transport.close()


def make_transport(source: Source, client: type[Any]) -> Transport:
    """Return the transport of a source, for a class of clients; ``ConfigurationError`` if that fails."""
    service = BUNTIME_SH if issubclass(client, Buntime) else RUNLOOP
    # Checked for every source: a wrong key must be an error before anything is opened.
    settings.api_key(None, service)
    if source == "http":
        return HTTPServices(service)
    transport = settings.make_transport(source) if isinstance(source, str) else source()
    if not isinstance(transport, Transport):
        # A client without a transport would send its requests to the service.
        raise TypeError(f"source must return a transport, not {type(transport).__name__}")
    return transport
