"""Requests to another origin than the service, and bodies that are streamed."""

from __future__ import annotations

import io
from contextlib import closing

import requests

from buntime import Buntime
from buntime.transport import Body, HTTPTransport, Request
from tests.support.exchanges import serving
from tests.support.loopback import LoopbackServer, reply


def test_another_origin_gets_nothing_of_the_client() -> None:
    """A request to a presigned URL has no header, credential or cookie of client, session or transport."""
    session = requests.Session()
    session.headers["X-Of-Session"] = "1"
    session.cookies.set("token", "of-the-session")
    redirect = reply(307, b"moved", [("Location", "http://127.0.0.1:9/steal"), ("Set-Cookie", "a=b")])
    with LoopbackServer() as service, LoopbackServer(redirect, reply(200, b"")) as storage:
        transport = HTTPTransport(service.url, session=session)
        with Buntime("key-of-the-client", transport=transport, headers={"X-Of-Client": "1"}) as client:
            caller = client._context.caller
            for body in (b"first", b"second"):
                request = Request("PUT", "/a b", (("sig", "x/y+z"),), body=body, origin=storage.url)
                caller.transport.send(caller._complete(request, caller._begin()[1], None)).read()

    assert 0 == service.connections
    assert 1 == storage.connections, "the connection is pooled"
    first, second = storage.requests
    assert ("/a%20b?sig=x%2Fy%2Bz", b"first", b"second") == (first.target, first.body, second.body)
    allowed = {"host", "content-length", "user-agent", "accept-encoding"}
    assert allowed == {name.lower() for name in first.headers} == {name.lower() for name in second.headers}


def test_body_is_streamed_for_each_attempt() -> None:
    """A Body is opened for each attempt, sent in pieces with its length, and closed."""
    opened: list[io.BytesIO] = []

    def open_body() -> io.BytesIO:
        opened.append(io.BytesIO(b"0123456789" * 300_000))
        return opened[-1]

    with serving() as (server, transport), closing(transport):
        request = Request("POST", "/upload", body=Body(open_body, 3_000_000), connect_timeout=20)
        transport.send(request).read()
        transport.send(request).read()

    assert [b"0123456789" * 300_000] * 2 == [received.body for received in server.requests]
    assert "3000000" == server.requests[0].headers["Content-Length"]
    assert [True, True] == [file.closed for file in opened]
    assert "body=<3000000 bytes>" in repr(request)
    assert request.buffered().body == request.content
