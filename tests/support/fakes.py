"""A fake behind HTTP, for several processes."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from buntime.transport import FakeTransport, Request
from tests.support.loopback import Exchange, Handler


def over_http(fake: FakeTransport) -> Handler:
    """Return a :class:`~tests.support.loopback.LoopbackServer` handler that responds as the fake does."""

    def handler(exchange: Exchange) -> None:
        received = exchange.request
        target = urlsplit(received.target)
        query = tuple(parse_qsl(target.query))
        headers = tuple(received.headers.items())
        response = fake.send(Request(received.method, target.path, query, headers, received.body or None))
        exchange.reply(response.status, response.read(), tuple(response.headers.items()))

    return handler
