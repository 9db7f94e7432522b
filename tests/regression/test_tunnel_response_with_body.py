"""A proxy whose response to CONNECT had a body made every call fail with an AttributeError."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from buntime.transport import HTTPTransport
from tests.support.certificates import tls_server
from tests.support.exchanges import PATIENT
from tests.support.loopback import Exchange, LoopbackServer, json_reply


def test_the_body_of_a_tunnel_response_is_skipped(tmp_path: Path) -> None:
    """The tunnel is opened, and serves several requests."""
    context, bundle = tls_server(tmp_path)

    def connect(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 Connection established\r\nContent-Length: 2\r\n\r\nOK")
        exchange.forward(server.port)

    with LoopbackServer(json_reply({"mine": True}), tls=context) as server, LoopbackServer(connect) as proxy:
        proxies = {"https": proxy.url}
        with closing(HTTPTransport(server.url, verify=bundle, proxies=proxies)) as transport:
            assert [b'{"mine": true}'] * 2 == [transport.send(PATIENT).read() for _ in range(2)]
    assert 1 == proxy.connections
