"""A forwarding HTTP proxy on 127.0.0.1."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from tests.support.loopback import Exchange, LoopbackServer

_HOP_BY_HOP = {"connection", "keep-alive", "proxy-connection", "proxy-authorization", "transfer-encoding"}


def forward(exchange: Exchange) -> None:
    """Forward an absolute-form request and its response; respond to everything else with 400."""
    target = urlsplit(exchange.request.target)
    if target.scheme != "http" or target.hostname != "127.0.0.1":
        exchange.reply(400, b"only absolute-form requests for 127.0.0.1")
        return
    headers = {
        name: value for name, value in exchange.request.headers.items() if name.lower() not in _HOP_BY_HOP
    }
    connection = http.client.HTTPConnection(target.hostname, target.port or 80, timeout=30)
    try:
        path = exchange.request.target.partition(target.netloc)[2]
        connection.request(exchange.request.method, path, exchange.request.body or None, headers)
        response = connection.getresponse()
        headers_ = [
            pair for pair in response.getheaders() if pair[0].lower() not in {*_HOP_BY_HOP, "content-length"}
        ]
        exchange.reply(response.status, response.read(), headers_)
    finally:
        connection.close()


class ForwardingProxy(LoopbackServer):
    """A proxy whose ``requests`` contain the forwarded requests, in absolute form."""

    def __init__(self) -> None:
        super().__init__(forward)
