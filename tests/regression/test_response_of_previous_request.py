"""After an interim response, or with bytes left over, a request received the response of the previous one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Callable

import pytest
import requests

from buntime import APIConnectionError, Buntime, BuntimeError, InvalidResponseError
from buntime.transport import HTTPTransport, Request
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.certificates import tls_server
from tests.support.exchanges import PATIENT
from tests.support.loopback import Exchange, LoopbackServer, json_reply


def _result(text: str) -> bytes:
    return responses.as_json(responses.result(stdout=text)).read()


def _code(exchange: Exchange) -> str:
    return str(exchange.request.body)


def _interim(*statuses: int) -> Callable[[Exchange], None]:
    def handle(exchange: Exchange) -> None:
        for status in statuses:
            exchange.head(status, [("Link", "</style.css>; rel=preload")])
        exchange.reply(200, _result(_code(exchange)), [("Content-Type", "application/json")])

    return handle


@pytest.fixture(params=["own session", "session of the user"])
def session(request: pytest.FixtureRequest) -> Iterator[requests.Session | None]:
    """Test the transport's own session and a user's session: both use the same connections."""
    if request.param == "own session":
        yield None
    else:
        with requests.Session() as session:
            yield session


@in_one_test("statuses", [(100,), (102,), (103,), (199,), (102, 103, 100, 103)])
def test_interim_responses_are_skipped(statuses: tuple[int, ...], session: requests.Session | None) -> None:
    """Each request receives its own result, on one connection."""
    with (
        LoopbackServer(_interim(*statuses)) as server,
        Buntime(transport=HTTPTransport(server.url, session=session), max_retries=0) as client,
    ):
        for code in ("A", "B", "C"):
            assert f'"{code}"' in client.execute(session_id="ses_1", code=code).stdout
            with client.stream(session_id="ses_1", code=code) as stream:
                list(stream)
            assert f'"{code}"' in stream.result.stdout
    assert 1 == server.connections


@pytest.mark.parametrize("statuses", [(101,), (103,) * 1001, (100,) * 1001])
def test_invalid_interim_responses_raise_an_error(
    statuses: tuple[int, ...], session: requests.Session | None
) -> None:
    """A protocol switch and endless interim responses raise an error and close the connection."""
    handlers = [_interim(*statuses), _interim()]
    with (
        LoopbackServer(*handlers) as server,
        Buntime(transport=HTTPTransport(server.url, session=session), max_retries=0) as client,
    ):
        with pytest.raises(APIConnectionError) as caught:
            client.execute(session_id="ses_1", code="SECRET-OF-A")
        assert "read" == caught.value.phase
        assert '"B"' in client.execute(session_id="ses_1", code="B").stdout
    assert 2 == server.connections


def _body_after(status: int, headers: list[tuple[str, str]]) -> Callable[[Exchange], None]:
    def handle(exchange: Exchange) -> None:
        exchange.head(status, headers)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")

    return handle


def _two_responses(exchange: Exchange) -> None:
    exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
    )


def _two_chunked_responses(exchange: Exchange) -> None:
    exchange.send(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen"
    )


def _two_lengths(exchange: Exchange) -> None:
    exchange.head(200, [("Content-Length", "2"), ("Transfer-Encoding", "chunked")])
    exchange.send(b"2\r\n{}\r\n0\r\n\r\n")


def _unknown_transfer_encoding(exchange: Exchange) -> None:
    exchange.head(200, [("Content-Length", "2"), ("Transfer-Encoding", "gzip")])
    exchange.send(b"{}")


@in_one_test(
    ("method", "handler"),
    [
        ("POST", _body_after(204, [])),
        ("POST", _body_after(204, [("Content-Length", "6")])),
        ("GET", _body_after(304, [("Content-Length", "6")])),
        ("HEAD", _body_after(200, [("Content-Length", "6")])),
        ("POST", _two_responses),
        ("POST", _two_chunked_responses),
        ("POST", _two_lengths),
        ("POST", _unknown_transfer_encoding),
    ],
)
@in_one_test("read", [lambda response: response.read(), lambda response: list(response.chunks)])
def test_a_connection_with_extra_bytes_is_closed(
    method: str,
    handler: Callable[[Exchange], None],
    read: Callable[[object], object],
    session: requests.Session | None,
) -> None:
    """A connection is also closed if more bytes may follow the response than it announced."""
    with (
        LoopbackServer(handler, json_reply({"mine": True})) as server,
        closing(HTTPTransport(server.url, session=session)) as transport,
    ):
        with transport.send(Request(method, "/", connect_timeout=20, read_timeout=20)) as response:
            read(response)
        assert b'{"mine": true}' == transport.send(PATIENT).read()
    assert [1, 2] == [received.connection for received in server.requests]


@in_one_test("size", [2, 20_000])
def test_a_connection_with_extra_decrypted_bytes_is_closed(size: int, tmp_path: Path) -> None:
    """With TLS, extra bytes of a record are in no buffer, and the socket does not show them."""
    context, bundle = tls_server(tmp_path)
    body = b"x" * size

    def two_responses(exchange: Exchange) -> None:
        exchange.head(200, [("Content-Length", str(size))])
        exchange.send(body + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")

    with (
        LoopbackServer(two_responses, json_reply({"mine": True}), tls=context) as server,
        closing(HTTPTransport(server.url, verify=bundle)) as transport,
    ):
        assert body == transport.send(PATIENT).read()
        assert b'{"mine": true}' == transport.send(PATIENT).read()
    assert [1, 2] == [received.connection for received in server.requests]


@in_one_test(
    ("body", "headers"),
    [
        (b"<html>a proxy's page</html>", [("Content-Type", "text/html")]),
        (b'{"stdout": "x"', [("Content-Type", "application/json")]),
        (b'{"other": 1}', [("Content-Type", "application/json")]),
        (b"data: nonsense\n\n", [("Content-Type", "text/event-stream")]),
    ],
)
@in_one_test("status", [200, 302])
@in_one_test(
    "call",
    [
        lambda client: client.execute(session_id="ses_1", code="A"),
        lambda client: list(client.stream(session_id="ses_1", code="A")),
    ],
)
def test_a_connection_with_an_invalid_response_is_closed(
    body: bytes, headers: list[tuple[str, str]], status: int, call: Callable[[Buntime], object]
) -> None:
    """The sender of an invalid response may send more bytes, so its connection is not reused."""

    def invalid(exchange: Exchange) -> None:
        exchange.reply(status, body, headers)

    with (
        LoopbackServer(invalid, json_reply(responses.result(stdout="mine"))) as server,
        Buntime("key", base_url=server.url, max_retries=0) as client,
    ):
        with pytest.raises(BuntimeError) as caught:
            call(client)
        assert isinstance(caught.value, (InvalidResponseError, APIConnectionError))
        assert "mine" == client.execute(session_id="ses_1", code="B").stdout
    assert [1, 2] == [received.connection for received in server.requests]


def test_a_connection_is_reused_after_an_error_status() -> None:
    """An error in the service's own format is a normal response."""
    not_found = json_reply({"error": {"code": "session_not_found", "message": "gone"}}, 404)
    with (
        LoopbackServer(not_found, json_reply(responses.result(stdout="mine"))) as server,
        Buntime("key", base_url=server.url, max_retries=0) as client,
    ):
        with pytest.raises(BuntimeError):
            client.execute(session_id="ses_1", code="A")
        client.execute(session_id="ses_1", code="B")
    assert 1 == server.connections


def test_a_late_response_never_reaches_the_next_request() -> None:
    """The server sends an interim response first and the response itself later."""
    late = threading.Event()

    def handle(exchange: Exchange) -> None:
        exchange.head(103)
        if len(server.requests) == 1:
            exchange.wait(late)
        exchange.reply(200, _result(_code(exchange)))

    with LoopbackServer(handle) as server, Buntime("key", base_url=server.url, max_retries=0) as client:
        threading.Timer(0.2, late.set).start()
        for code in ("SECRET-OF-A", "B", "C"):
            assert f'"{code}"' in client.execute(session_id="ses_1", code=code).stdout


def test_a_session_with_open_connections_opens_a_new_one() -> None:
    """A connection that requests opened for the user is not reused."""
    with LoopbackServer(_interim(), _interim(103)) as server, requests.Session() as session:
        session.post(server.url, data=b'"user"')
        with closing(HTTPTransport(server.url, session=session)) as transport:
            assert b"user" not in transport.send(PATIENT).read()
