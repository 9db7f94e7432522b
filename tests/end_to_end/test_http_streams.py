"""HTTPTransport delivers bodies immediately, complete and decoded."""

from __future__ import annotations

import gzip
import threading
import zlib
from pathlib import Path

import pytest

from buntime.transport import HTTPTransport
from tests.support.certificates import tls_server
from tests.support.exchanges import PATIENT, serving
from tests.support.loopback import Exchange, LoopbackServer, reply


class Framing:
    """How a streamed response is framed on the wire."""

    def chunked(self, exchange: Exchange, pieces: list[bytes], gate: threading.Event) -> None:
        exchange.head(200, [*self.extra, ("Transfer-Encoding", "chunked")])
        exchange.chunk(pieces[0])
        exchange.wait(gate)
        for piece in [*pieces[1:], b""]:
            exchange.chunk(piece)

    def close_delimited(self, exchange: Exchange, pieces: list[bytes], gate: threading.Event) -> None:
        exchange.head(200, [*self.extra, ("Connection", "close")])
        exchange.send(pieces[0])
        exchange.wait(gate)
        exchange.send(b"".join(pieces[1:]))
        exchange.drop()

    def __init__(self, *extra: tuple[str, str]) -> None:
        self.extra = extra


def _first_then_rest(framing: Framing, way: str, pieces: list[bytes]) -> tuple[bytes, bytes]:
    gate = threading.Event()
    with serving(lambda exchange: getattr(framing, way)(exchange, pieces, gate)) as (_, transport):
        chunks = transport.send(PATIENT).chunks
        first = next(chunks)
        gate.set()
        return first, b"".join(chunks)


@pytest.mark.parametrize("way", ["chunked", "close_delimited"])
def test_first_byte_immediately(way: str) -> None:
    """The first byte of a stream is delivered while the server withholds the second."""
    assert (b"a", b"bc") == _first_then_rest(Framing(), way, [b"a", b"b", b"c"])


@pytest.mark.parametrize("way", ["chunked", "close_delimited"])
def test_first_event_of_a_compressed_stream(way: str) -> None:
    """The flushed part of a compressed stream is decoded and delivered immediately."""
    compressor = zlib.compressobj(wbits=31)
    events = [b"data: 1\n\n", b"data: 2\n\n"]
    pieces = [compressor.compress(event) + compressor.flush(zlib.Z_SYNC_FLUSH) for event in events]
    framing = Framing(("Content-Encoding", "gzip"))

    first, rest = _first_then_rest(framing, way, [*pieces, compressor.flush()])

    assert (events[0], events[1]) == (first, rest)


def test_tls_streams(tmp_path: Path) -> None:
    """The first byte of a stream over TLS is delivered immediately too."""
    context, bundle = tls_server(tmp_path)
    gate = threading.Event()

    def handler(exchange: Exchange) -> None:
        Framing().close_delimited(exchange, [b"a", b"b"], gate)

    with LoopbackServer(handler, tls=context) as server:
        transport = HTTPTransport(server.url, verify=bundle)
        chunks = transport.send(PATIENT).chunks
        assert b"a" == next(chunks)
        gate.set()
        assert b"b" == b"".join(chunks)
        transport.close()


def test_headers_arrive_before_the_body() -> None:
    """send() returns as soon as the headers have arrived, before any byte of the body."""
    gate = threading.Event()

    def handler(exchange: Exchange) -> None:
        exchange.head(200, [("Content-Length", "2")])
        exchange.wait(gate)
        exchange.send(b"{}")

    with serving(handler) as (_, transport):
        response = transport.send(PATIENT)
        gate.set()
        assert (200, b"{}") == (response.status, response.read())


@pytest.mark.parametrize("size", [0, 1, 65536, 1_000_000])
@pytest.mark.parametrize("encoding", ["", "gzip", "deflate"])
def test_bodies_of_every_size(size: int, encoding: str) -> None:
    """A body arrives complete and decoded, and the connection is reused."""
    body = b"x" * size
    packed = {"": lambda: body, "gzip": lambda: gzip.compress(body), "deflate": lambda: zlib.compress(body)}
    headers = [("Content-Encoding", encoding)] if encoding else []

    with serving(reply(200, packed[encoding](), headers)) as (server, transport):
        assert body == transport.send(PATIENT).read()
        assert body == b"".join(transport.send(PATIENT).chunks)

    assert 1 == server.connections
