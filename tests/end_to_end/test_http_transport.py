"""HTTPTransport on real sockets: requests, connections, sessions, forks."""

from __future__ import annotations

import io
import logging
import os
import pickle
import subprocess
import sys
import threading
from contextlib import closing
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from buntime.errors import APIConnectionError
from buntime.transport import HTTPTransport, Request
from tests.support.exchanges import PATIENT, serving
from tests.support.loopback import Exchange, LoopbackServer, json_reply, reply


def test_exchange() -> None:
    """Request and response arrive complete, and further requests use the same connection."""
    with serving(json_reply({"ok": True}, 201, [("X-Request-Id", "req_1")])) as (server, transport):
        for _ in range(3):
            response = transport.send(PATIENT)
            assert (201, "req_1") == (response.status, response.headers["x-request-id"])
            assert b'{"ok": true}' == response.read()

    received = server.requests[0]
    assert ("POST", "/execute", b"{}") == (received.method, received.target, received.body)
    assert (3, 1) == (len(server.requests), server.connections)


def test_content_length_of_an_empty_body() -> None:
    """A POST without a body sends Content-Length 0, which some servers require."""
    with serving() as (server, transport):
        transport.send(Request("POST", "/sessions/create")).read()

    assert "0" == server.requests[0].headers["Content-Length"]


def test_large_upload() -> None:
    """A body that is sent in pieces arrives complete."""
    body = bytes(range(256)) * (3 << 12)

    with serving() as (server, transport):
        transport.send(Request("POST", "/files/write", body=body, connect_timeout=20)).read()

    assert body == server.requests[0].body


def test_redirect_is_not_followed() -> None:
    """A redirect is returned as a response and never followed."""
    with LoopbackServer() as elsewhere:
        moved = reply(307, b"over there", [("Location", f"{elsewhere.url}/steal")])
        with serving(moved) as (_, transport):
            response = transport.send(PATIENT)
            assert (307, f"{elsewhere.url}/steal") == (response.status, response.headers["Location"])
            assert b"over there" == response.read()

    assert 0 == elsewhere.connections


def test_stale_connection_is_replaced() -> None:
    """A pooled connection that the server has closed is replaced before anything is sent."""

    def last(exchange: Exchange) -> None:
        exchange.reply()
        exchange.drop()

    with serving(last) as (server, transport):
        transport.send(PATIENT).read()
        server.wait_for(lambda server: server.open_connections == 0)
        assert 200 == transport.send(PATIENT).status

    assert 2 == server.connections


def test_close_before_the_end() -> None:
    """Closing an unread response closes its connection, once; reading on raises an error."""

    def endless(exchange: Exchange) -> None:
        exchange.head(200, [("Transfer-Encoding", "chunked")])
        exchange.chunk(b"a")
        exchange.hold()

    with serving(endless, reply()) as (server, transport):
        with transport.send(PATIENT) as response:
            assert b"a" == next(response.chunks)
        response.close()
        server.wait_for(lambda server: server.open_connections == 0)
        with pytest.raises(APIConnectionError, match="closed before its end"):
            next(response.chunks)
        assert 200 == transport.send(PATIENT).status

    assert 2 == server.connections


def test_close_before_the_first_byte() -> None:
    """An unread closed response has no body."""
    with serving(reply(200, b"{}")) as (_, transport):
        response = transport.send(PATIENT)
        response.close()

        with pytest.raises(APIConnectionError, match="closed before its end"):
            response.read()


def test_close_after_the_end() -> None:
    """Closing a fully read response returns its connection to the pool."""
    with serving(reply(200, b"{}")) as (server, transport):
        for _ in range(2):
            response = transport.send(PATIENT)
            assert [b"{}"] == list(response.chunks)
            response.close()
            response.close()

    assert 1 == server.connections


def test_closing_the_transport_ends_its_connections() -> None:
    """Closing a transport closes its pooled connections, but not those of a user's session."""
    with LoopbackServer() as server, requests.Session() as session:
        for transport in (HTTPTransport(server.url), HTTPTransport(server.url, session=session)):
            transport.send(PATIENT).read()
            transport.close()
        server.wait_for(lambda server: server.open_connections == 1)
        session.get(server.url)

    assert 2 == server.connections


def test_pooled_connections(caplog: pytest.LogCaptureFixture) -> None:
    """Concurrent requests do not wait for each other; the pool keeps at most ``pool_maxsize`` connections."""
    together = threading.Barrier(20)
    statuses: list[int] = []

    def handler(exchange: Exchange) -> None:
        together.wait(60)
        exchange.reply(200, exchange.request.body)

    def send(transport: HTTPTransport, body: bytes) -> None:
        response = transport.send(Request("POST", "/", body=body, connect_timeout=60, read_timeout=60))
        if response.read() == body:
            statuses.append(response.status)

    with caplog.at_level(logging.WARNING), serving(handler, pool_maxsize=3) as (server, transport):
        threads = [threading.Thread(target=send, args=(transport, b"%d" % n)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.wait_for(lambda server: server.open_connections == 3)

    assert ([200] * 20, 20, []) == (statuses, server.connections, caplog.records)


def test_cookies() -> None:
    """Cookies are ignored, except with a user's session."""
    setting = reply(200, b"", [("Set-Cookie", "crumb=1")])
    with LoopbackServer(setting) as server, requests.Session() as session:
        for own_session in (None, session):
            transport = HTTPTransport(server.url, session=own_session)
            transport.send(PATIENT).read()
            transport.send(PATIENT).read()
            transport.close()

    assert [None, None, None, "crumb=1"] == [received.headers.get("Cookie") for received in server.requests]


def test_adapter_of_a_session() -> None:
    """A session's adapter is used, and a body that is not from urllib3 is readable."""

    class Canned(HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
            response = requests.Response()
            response.status_code, response.url, response.request = 203, str(request.url), request
            response.raw = io.BytesIO(b"canned")
            return response

    with requests.Session() as session:
        session.mount("http://canned.invalid", Canned())
        with closing(HTTPTransport("http://canned.invalid", session=session)) as transport:
            response = transport.send(PATIENT)
            assert (203, b"canned") == (response.status, response.read())


def test_headers_of_an_adapter() -> None:
    """They arrive as they are, and one that would add a line to the request is refused before it is sent."""

    class Adding(HTTPAdapter):
        def add_headers(self, request: requests.PreparedRequest, **_: Any) -> None:
            request.headers.update(added)

    added: dict[str, Any] = {"X-Text": "a: b", "X-Bytes": b"bytes", "X-Latin": "\u00e4"}
    with LoopbackServer() as server, requests.Session() as session:
        session.mount(server.url, Adding())
        with closing(HTTPTransport(server.url, session=session)) as transport:
            transport.send(PATIENT).read()
            added["X-Two"] = "a\r\nX-Three: b"
            with pytest.raises(ValueError, match="Invalid header value"):
                transport.send(PATIENT)

    assert [("a: b", "bytes", "\u00e4")] == [
        tuple(received.headers[name] for name in ("X-Text", "X-Bytes", "X-Latin"))
        for received in server.requests
    ]


def test_pickled_transport_works() -> None:
    """A pickled transport works, for example in a process pool."""
    with (
        serving(json_reply({"ok": True})) as (_, transport),
        closing(pickle.loads(pickle.dumps(transport))) as copy,
    ):
        assert b'{"ok": true}' == copy.send(PATIENT).read()


_FORKING = """
import os, sys, requests
from buntime.transport import HTTPTransport, Request

url, is_own = sys.argv[1], sys.argv[2] == "own"
session = None if is_own else requests.Session()
transport = HTTPTransport(url, session=session)
def send(name):
    transport.send(Request("POST", "/" + name, connect_timeout=60, read_timeout=60)).read()

send("parent")
child = os.fork()
if child == 0:
    send("child")
    send("child")
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
send("parent")
transport.close()
if session: session.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("session", ["own", "user's"])
def test_fork(session: str) -> None:
    """A forked child opens its own connection, and the parent continues to use its connection."""
    with LoopbackServer() as server:
        command = [sys.executable, "-W", "error", "-c", _FORKING, server.url, session]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)

    assert (0, "") == (done.returncode, done.stderr)
    requests_ = [(received.target, received.connection) for received in server.requests]
    assert [("/parent", 1), ("/child", 2), ("/child", 2), ("/parent", 1)] == requests_
