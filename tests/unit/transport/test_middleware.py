"""MiddlewareTransport: requests and responses pass through a function."""

from __future__ import annotations

from typing import Any, Callable

import attrs
import pytest

from buntime import Buntime
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    MiddlewareTransport,
    Request,
    Response,
    SupportsTime,
)


def test_middleware_sees_and_alters_requests_and_responses() -> None:
    """A middleware receives each request with its credentials, and what it returns is the response."""
    sent: list[Request] = []

    def send(request: Request) -> Response:
        sent.append(request)
        return Response(200, [("X-From", "inner")], [b"body"])

    def middleware(request: Request, forward: Callable[[Request], Response]) -> Response:
        response = forward(attrs.evolve(request, headers=(*request.headers, ("X-Trace", "1"))))
        return Response(299, response.headers, [response.read().upper()])

    transport = MiddlewareTransport(FunctionTransport(send), middleware)
    response = transport.send(Request("GET", "/x"))

    assert (299, b"BODY", "inner") == (response.status, response.read(), response.headers["X-From"])
    assert (("X-Trace", "1"),) == sent[0].headers


def test_middleware_sees_each_retry() -> None:
    """A retry passes through the middleware like the first attempt."""
    paths: list[str] = []

    def middleware(request: Request, forward: Callable[[Request], Response]) -> Response:
        paths.append(request.path)
        return forward(request)

    fake = FakeTransport()
    fake.fail_next(503, times=2)
    with Buntime(transport=MiddlewareTransport(fake, middleware)) as client:
        client.sessions.create()

    assert ["/sessions/create"] * 3 == paths


def test_time_of_the_inner_transport() -> None:
    """A middleware has the clock of its inner transport, and none if that has none."""
    fake = MiddlewareTransport(FakeTransport(), lambda request, send: send(request))
    function = MiddlewareTransport(
        FunctionTransport(lambda _: Response(200)), lambda request, send: send(request)
    )

    assert (True, False) == (isinstance(fake, SupportsTime), isinstance(function, SupportsTime))


def test_bad_middleware() -> None:
    """A middleware that is not a function is refused, and one that returns no response is an error."""
    inner: Any = FunctionTransport(lambda _: Response(200))
    wrong: Any = "log"
    with pytest.raises(TypeError, match="middleware must be a function, not str"):
        MiddlewareTransport(inner, wrong)
    nothing: Any = lambda request, send: None  # noqa: E731 - the mistake under test
    with pytest.raises(TypeError, match="the middleware returned NoneType, not a Response"):
        MiddlewareTransport(inner, nothing).send(Request("GET", "/"))
