"""How HTTPTransport reports failed requests, and in which phase they failed."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing

import attrs
import pytest

from buntime.errors import APIConnectionError, APITimeoutError
from buntime.transport import HTTPTransport, Request
from tests.support import ports
from tests.support.exchanges import HASTY, PATIENT, connection_error, serving
from tests.support.loopback import Exchange, Handler, drop, hold, reply, reset


@pytest.fixture
def unused_port() -> Iterator[int]:
    """Reserve a port without a listener."""
    with ports.unused_port() as port:
        yield port


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Listen on a port without ever accepting or reading."""
    with ports.silent_port() as port:
        yield port


def _short(exchange: Exchange) -> None:
    exchange.head(200, [("Content-Length", "10")])
    exchange.send(b"abc")
    exchange.drop()


def _no_last_chunk(exchange: Exchange) -> None:
    exchange.head(200, [("Transfer-Encoding", "chunked")])
    exchange.chunk(b"abc")
    exchange.drop()


def _half_a_chunk(exchange: Exchange) -> None:
    exchange.head(200, [("Transfer-Encoding", "chunked")])
    exchange.send(b"a\r\nabc")
    exchange.drop()


def _reset_in_the_body(exchange: Exchange) -> None:
    exchange.head(200, [("Content-Length", "10")])
    exchange.send(b"abc")
    exchange.reset()


@pytest.mark.parametrize("handler", [_short, _no_last_chunk, _half_a_chunk, _reset_in_the_body])
def test_cut_body(handler: Handler) -> None:
    """A body that ends early raises an error and never returns a short response."""
    with serving(handler) as (server, transport):
        error = connection_error(transport)

    assert ("read", True) == (error.phase, error.maybe_executed)
    assert f"the answer from 127.0.0.1:{server.port} was cut off" in error.message


def test_body_with_a_wrong_encoding() -> None:
    """A wrong Content-Encoding raises an error."""
    with serving(reply(200, b"plain", [("Content-Encoding", "gzip")])) as (_, transport):
        assert "not encoded as its Content-Encoding says" in connection_error(transport).message


def test_stalled_body() -> None:
    """A stalled body raises a timeout that reports the waiting time."""

    def handler(exchange: Exchange) -> None:
        exchange.head(200, [("Content-Length", "10")])
        exchange.send(b"abc")
        exchange.hold()

    with serving(handler) as (server, transport):
        error = connection_error(transport, attrs.evolve(HASTY, read_timeout=1))

    assert isinstance(error, APITimeoutError)
    assert ("read", True) == (error.phase, error.maybe_executed)
    assert f"127.0.0.1:{server.port} sent nothing more for 1 s" == error.message


def test_missing_headers() -> None:
    """A server that accepts the request and stays silent causes a read timeout after one request."""
    with serving(hold) as (server, transport):
        error = connection_error(transport, HASTY)
        server.wait_for(lambda server: server.requests)

    assert isinstance(error, APITimeoutError)
    assert ("read", True) == (error.phase, error.maybe_executed)
    assert f"127.0.0.1:{server.port} did not answer within 0.1 s" == error.message
    assert 1 == len(server.requests)


def _nonsense(exchange: Exchange) -> None:
    exchange.send(b"220 mail.invalid ESMTP\r\n\r\n")
    exchange.drop()


def _head(lines: bytes) -> Handler:
    def handle(exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 200 OK\r\n" + lines)
        exchange.drop()

    return handle


@pytest.mark.parametrize(
    "handler",
    [
        drop,
        reset,
        _nonsense,
        _head(b""),
        _head(b"Content-Length: 2\r\n"),
        _head(b"Content-Length: 2"),
        _head(b"Content-Length : 2\r\n\r\n{}"),
        _head(b"nonsense\r\nContent-Length: 2\r\n\r\n{}"),
        _head(b" X-Folded: 1\r\nContent-Length: 2\r\n\r\n{}"),
        _head(b"X-Large: " + bytes(100_000) + b"\r\nContent-Length: 2\r\n\r\n{}"),
        _head(b"X-Many: 1\r\n" * 200 + b"Content-Length: 2\r\n\r\n{}"),
    ],
)
def test_lost_response(handler: Handler) -> None:
    """A request whose connection is lost afterwards may have executed, and is not retried."""
    with serving(handler) as (server, transport):
        error = connection_error(transport)

    assert ("read", True) == (error.phase, error.maybe_executed)
    assert not isinstance(error, APITimeoutError)
    assert f"the connection to 127.0.0.1:{server.port} was lost before the answer" in error.message
    assert 1 == len(server.requests)


def test_a_folded_header() -> None:
    """A header over several lines has one value, with a space for each new line."""
    with serving(_head(b"X-Folded: 1\r\n  2\r\n\t3: 4\r\nContent-Length: 2\r\n\r\n{}")) as (_, transport):
        response = transport.send(PATIENT)

        assert ("1 2 3: 4", b"{}") == (response.headers["X-Folded"], response.read())


@pytest.mark.parametrize("length", [b"-1", b"2.0", b"1_0", b"9" * 5000])
def test_an_invalid_length(length: bytes) -> None:
    """A body without a valid length ends with its connection."""
    with serving(_head(b"Content-Length: " + length + b"\r\n\r\n{}")) as (_, transport):
        assert b"{}" == transport.send(PATIENT).read()


def test_lost_response_on_a_reused_connection() -> None:
    """The same applies to a connection that had served an earlier request."""
    with serving(reply(), drop) as (server, transport):
        transport.send(PATIENT).read()
        error = connection_error(transport)

    assert ("read", 2, 1) == (error.phase, len(server.requests), server.connections)


def test_refused(unused_port: int) -> None:
    """A refused connection has sent nothing."""
    with closing(HTTPTransport(f"http://127.0.0.1:{unused_port}")) as transport:
        error = connection_error(transport)

    assert ("connect", False) == (error.phase, error.maybe_executed)
    assert f"could not connect to 127.0.0.1:{unused_port} (Connection refused)" == error.message


def test_unknown_host() -> None:
    """A name that cannot be resolved has sent nothing."""
    with closing(HTTPTransport("https://nowhere.invalid")) as transport:
        error = connection_error(transport)

    assert ("connect", False) == (error.phase, error.maybe_executed)
    assert "could not connect to nowhere.invalid:443 (" in error.message


def test_an_earlier_error_is_not_mixed_in(unused_port: int) -> None:
    """A request that is sent while handling an earlier error, as a retry is, is judged independently."""
    with serving(drop) as (_, transport), closing(HTTPTransport(f"http://127.0.0.1:{unused_port}")) as dead:
        error = connection_error(dead)
        try:
            raise error
        except APIConnectionError:
            error = connection_error(transport)

    assert ("read", True) == (error.phase, error.maybe_executed)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems accept connections beyond the backlog")
def test_connecting_takes_too_long() -> None:
    """A connection that is not accepted in time has sent nothing."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        port = listener.getsockname()[1]
        transport = stack.enter_context(closing(HTTPTransport(f"http://127.0.0.1:{port}")))
        error = connection_error(transport, Request("GET", "/", connect_timeout=0.1, read_timeout=20))

    assert isinstance(error, APITimeoutError)
    assert ("connect", False) == (error.phase, error.maybe_executed)
    assert f"connecting to 127.0.0.1:{port} took longer than 0.1 s" == error.message


def test_tls_handshake_takes_too_long(silent_port: int) -> None:
    """The TLS handshake belongs to the connect phase: nothing of the request was sent."""
    with closing(HTTPTransport(f"https://127.0.0.1:{silent_port}")) as transport:
        error = connection_error(transport, Request("GET", "/", connect_timeout=0.1, read_timeout=20))

    assert isinstance(error, APITimeoutError)
    assert ("connect", False) == (error.phase, error.maybe_executed)


def test_sending_takes_too_long(silent_port: int) -> None:
    """A server that stops reading causes a timeout while sending; the request may have been executed."""
    request = Request("POST", "/", body=bytes(64 << 20), connect_timeout=0.1, read_timeout=20)

    with closing(HTTPTransport(f"http://127.0.0.1:{silent_port}")) as transport:
        error = connection_error(transport, request)

    assert isinstance(error, APITimeoutError)
    assert ("send", True) == (error.phase, error.maybe_executed)
    assert f"sending the request to 127.0.0.1:{silent_port} stood still for 0.1 s" == error.message
