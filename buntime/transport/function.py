"""A transport that is one function, for a one-line double."""

from __future__ import annotations

from typing import Callable

from buntime._http import Request, Response
from buntime._support.unpicklable import NotPicklable


class FunctionTransport(NotPicklable):
    """Answers each request by calling ``handler(request)``.

    The handler returns a :class:`Response`, or raises :class:`~buntime.APIConnectionError` or
    :class:`~buntime.APITimeoutError` as a network would::

        from buntime import Buntime
        from buntime.transport import FunctionTransport, Response

        body = b'{"deleted": true, "sessionId": "ses_1"}'
        client = Buntime(transport=FunctionTransport(lambda request: Response(200, (), [body])))
        client.sessions.delete("ses_1")
    """

    def __init__(self, handler: Callable[[Request], Response]) -> None:
        if not callable(handler):
            raise TypeError(f"handler must be a function, not {type(handler).__name__}")
        self._handler = handler

    def send(self, request: Request, /) -> Response:
        """Return the handler's response; ``TypeError`` if it is not a :class:`Response`."""
        response = self._handler(request)
        if not isinstance(response, Response):
            raise TypeError(f"the handler returned {type(response).__name__}, not a Response")
        return response

    def close(self) -> None:
        """Do nothing: there is nothing to release."""
