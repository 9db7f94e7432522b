"""A transport that loses connections."""

from __future__ import annotations

from buntime.errors import APIConnectionError
from buntime.transport import FakeTransport, Request, Response


class FlakyFake(FakeTransport):
    """Of three requests, the first is lost before and the second after it was executed."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def send(self, request: Request, /) -> Response:
        """Return every third response."""
        self._count += 1
        if self._count % 3 == 1:
            raise APIConnectionError("lost before the execution", phase="send")
        response = super().send(request)
        if self._count % 3 == 2:
            raise APIConnectionError("lost after the execution", phase="read")
        return response
