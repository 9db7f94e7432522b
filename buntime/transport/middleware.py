"""A transport whose requests and responses pass through a function."""

from __future__ import annotations

from typing import Callable

from buntime._http import Request, Response, Transport
from buntime._support.unpicklable import NotPicklable
from buntime.transport._forwarding import forwarding

Middleware = Callable[[Request, Callable[[Request], Response]], Response]


class MiddlewareTransport(NotPicklable):
    """Calls ``middleware(request, send)`` for each request, retries included, and returns its response.

    ``send`` sends a request with ``inner``. The middleware may change the request (``attrs.evolve``), replace
    the response, measure, log, or send nothing::

        from buntime.transport import HTTPTransport, MiddlewareTransport

        def log(request, send):
            response = send(request)
            print(request.method, request.path, response.status)
            return response

        transport = MiddlewareTransport(HTTPTransport(), log)

    The request has the credentials of the client in its headers. Raises ``TypeError`` if ``middleware`` is
    not callable, and if it returns anything but a :class:`Response`.
    """

    def __new__(cls, inner: Transport, middleware: Middleware) -> MiddlewareTransport:  # noqa: ARG004 - as of __init__
        """Return a transport with the optional protocols of ``inner``."""
        return object.__new__(forwarding(cls, inner))

    def __init__(self, inner: Transport, middleware: Middleware) -> None:
        if not callable(middleware):
            raise TypeError(f"middleware must be a function, not {type(middleware).__name__}")
        self._inner = inner
        self._middleware = middleware

    def __repr__(self) -> str:
        return f"MiddlewareTransport({self._inner!r})"

    def send(self, request: Request, /) -> Response:
        """Return the middleware's response."""
        response = self._middleware(request, self._inner.send)
        if not isinstance(response, Response):
            raise TypeError(f"the middleware returned {type(response).__name__}, not a Response")
        return response

    def close(self) -> None:
        """Close the inner transport."""
        self._inner.close()
