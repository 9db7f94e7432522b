"""What type checkers make of a transport of the user's own. Checked by mypy and pyright, never run."""

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


class Own:
    """Two methods are enough; the name of the parameter is free."""

    def send(self, outgoing: Request) -> Response:
        """Answer."""
        return Response(200, {"A": "b"}, [outgoing.body or b""])

    def close(self) -> None:
        """Do nothing."""


class Timed(Own):
    """Time is two more."""

    def sleep(self, seconds: float) -> None:
        """Do nothing."""

    def monotonic(self) -> float:
        """Stand still."""
        return 0.0


class Half:
    """What lacks close() is no transport."""

    def send(self, outgoing: Request) -> Response:
        """Answer."""
        return Response(200)


def transports() -> None:
    """What fits and what does not."""
    every: list[Transport] = [
        Own(),
        Timed(),
        HTTPTransport("x"),
        LocalTransport(),
        FunctionTransport(Own().send),
    ]
    for transport in every:
        Buntime(transport=transport)
    time: SupportsTime = Timed()
    time.sleep(1)
    Buntime(transport=Half())  # type: ignore[arg-type]  # expected: no close()
    not_timed: SupportsTime = Own()  # type: ignore[assignment]  # expected: no sleep()
    FunctionTransport(lambda request: b"")  # type: ignore[arg-type, return-value]  # expected: a Response
    not_timed.sleep(1)


def response(transport: Transport, request: Request) -> None:
    """What an answer holds."""
    with transport.send(request) as answer:
        assert_type(answer, Response)
        assert_type(answer.status, int)
        assert_type(answer.headers, Headers)
        assert_type(answer.headers["A"], str)
        assert_type(answer.chunks, Iterator[bytes])
        assert_type(answer.read(), bytes)
    request.method = "GET"  # type: ignore[misc]  # expected: values are frozen
