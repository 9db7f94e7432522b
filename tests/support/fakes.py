"""A fake behind HTTP, where several processes reach it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

from buntime.transport import FakeTransport, Request
from tests.support.loopback import Exchange, Handler


def over_http(fake: FakeTransport) -> Handler:
    """Return a handler of a :class:`~tests.support.loopback.LoopbackServer` that answers as the fake does."""

    def handler(exchange: Exchange) -> None:
        received = exchange.request
        target = urlsplit(received.target)
        query = tuple(parse_qsl(target.query))
        headers = tuple(received.headers.items())
        answer = fake.send(Request(received.method, target.path, query, headers, received.body or None))
        exchange.reply(answer.status, answer.read(), tuple(answer.headers.items()))

    return handler
