"""Types of a user-defined transport. Checked by mypy and pyright, never run."""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import assert_type

from buntime import Buntime
from buntime.transport import (
    FunctionTransport,
    Headers,
    HTTPTransport,
    LocalTransport,
    Request,
    Response,
    SupportsTime,
    Transport,
)


class Minimal:
    """Two methods are enough; the parameter may have any name."""

    def send(self, outgoing: Request) -> Response:
        """Return a response."""
        return Response(200, {"A": "b"}, [outgoing.content])

    def close(self) -> None:
        """Do nothing."""


class Timed(Minimal):
    """A clock takes two more methods."""

    def sleep(self, seconds: float) -> None:
        """Do nothing."""

    def monotonic(self) -> float:
        """Return a constant."""
        return 0.0


class Incomplete:
    """A class without close() is not a transport."""

    def send(self, outgoing: Request) -> Response:
        """Return a response."""
        return Response(200)


def transports() -> None:
    """Classes that are transports, and classes that are not."""
    every: list[Transport] = [
        Minimal(),
        Timed(),
        HTTPTransport("x"),
        LocalTransport(),
        FunctionTransport(Minimal().send),
    ]
    for transport in every:
        Buntime(transport=transport)
    time: SupportsTime = Timed()
    time.sleep(1)
    Buntime(transport=Incomplete())  # type: ignore[arg-type]  # expected: no close()
    not_timed: SupportsTime = Minimal()  # type: ignore[assignment]  # expected: no sleep()
    FunctionTransport(lambda request: b"")  # type: ignore[arg-type, return-value]  # expected: a Response
    not_timed.sleep(1)


def response(transport: Transport, request: Request) -> None:
    """The attributes of a response."""
    with transport.send(request) as response:
        assert_type(response, Response)
        assert_type(response.status, int)
        assert_type(response.headers, Headers)
        assert_type(response.headers["A"], str)
        assert_type(response.chunks, Iterator[bytes])
        assert_type(response.read(), bytes)
    request.method = "GET"  # type: ignore[misc]  # expected: values are frozen
