"""A transport that loses connections."""

from __future__ import annotations

from buntime.errors import APIConnectionError
from buntime.transport import FakeTransport, Request, Response


class FlakyFake(FakeTransport):
    """Of every three calls one is lost on its way there, and one on its way back, after it was acted on."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def send(self, request: Request, /) -> Response:
        """Answer one call of three."""
        self._count += 1
        if self._count % 3 == 1:
            raise APIConnectionError("lost on its way there", phase="send")
        response = super().send(request)
        if self._count % 3 == 2:
            raise APIConnectionError("lost on its way back", phase="read")
        return response
