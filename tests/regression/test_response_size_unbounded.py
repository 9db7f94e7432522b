"""A response of any size was read into memory: gzip that decodes to a gigabyte, or an error page."""

from __future__ import annotations

import functools
import gzip
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any, Callable

import pytest

from buntime import APIConnectionError, Buntime, BuntimeError, InvalidResponseError, ServerError
from buntime.transport import FunctionTransport, HTTPTransport, RecordingTransport, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.loopback import Exchange, LoopbackServer

_MEGABYTE = 1024 * 1024

CALLS: dict[str, Callable[[Buntime], object]] = {
    "info": lambda client: client.sessions.info("ses_1"),
    "execute": lambda client: client.execute(session_id="ses_1", code="1"),
    "stream": lambda client: list(client.stream(session_id="ses_1", code="1")),
    "request": lambda client: client.request("GET", "/x"),
}


@functools.cache
def _bomb(megabytes: int) -> bytes:
    compressor = zlib.compressobj(9, wbits=31)
    block = b" " * _MEGABYTE
    return b"".join([*(compressor.compress(block) for _ in range(megabytes)), compressor.flush()])


def _peak(call: Callable[[], Any]) -> float:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / _MEGABYTE
    finally:
        tracemalloc.stop()


@in_one_test("call", CALLS)
@in_one_test("media_type", ["application/json", "text/html"])
def test_a_compressed_body_is_limited_after_decoding(call: str, media_type: str) -> None:
    """A decoded body above the limit raises a clear error, uses little memory, and closes its connection."""
    bomb = _bomb(64)

    def handle(exchange: Exchange) -> None:
        exchange.reply(200, bomb, [("Content-Type", media_type), ("Content-Encoding", "gzip")])

    with LoopbackServer(handle) as server:
        transport = HTTPTransport(server.url, max_response_bytes=2 * _MEGABYTE)
        with Buntime("key", transport=transport, max_retries=2) as client:

            def program() -> None:
                with pytest.raises(InvalidResponseError) as caught:
                    CALLS[call](client)
                if media_type == "application/json":
                    assert "the response has more than 2,097,152 bytes" in str(caught.value)
                    assert "max_response_bytes" in caught.value.hint

            assert _peak(program) < 40
            server.wait_for(lambda server: server.open_connections == 0)
    assert 1 == len(server.requests)


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "zstd", "compress"])
def test_an_unrequested_encoding_raises_an_error(encoding: str) -> None:
    """It is not decoded: two layers of gzip could turn a kilobyte into a gigabyte."""
    body = gzip.compress(_bomb(64))

    def handle(exchange: Exchange) -> None:
        exchange.reply(200, body, [("Content-Encoding", encoding)])

    with LoopbackServer(handle) as server, Buntime("key", base_url=server.url, max_retries=0) as client:

        def program() -> None:
            with pytest.raises(APIConnectionError, match="was not asked for") as caught:
                client.sessions.info("ses_1")
            assert repr(encoding) in caught.value.message

        assert _peak(program) < 20


def test_a_large_error_page() -> None:
    """Only the beginning is read, for the message."""
    sent: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(128):
            sent.append(number)
            yield b"x" * _MEGABYTE

    client = Buntime(transport=FunctionTransport(lambda _: Response(500, (), chunks())), max_retries=0)
    with pytest.raises(ServerError):
        client.sessions.info("ses_1")
    assert [0] == sent


def test_a_custom_limit(tmp_path: Any) -> None:
    """The limit also applies through a recording; ``None`` removes it, and 256 MiB is the default."""

    def handle(exchange: Exchange) -> None:
        exchange.reply(200, b'{"a": "%s"}' % (b"x" * 3000), [("Content-Type", "application/json")])

    with LoopbackServer(handle) as server:
        for limit, fits in ((1000, False), (4000, True), (None, True)):
            http = HTTPTransport(server.url, max_response_bytes=limit)
            with Buntime(transport=RecordingTransport(tmp_path / f"{limit}.json", http)) as client:
                if fits:
                    assert 3000 == len(client.request("GET", "/x").json()["a"])
                else:
                    with pytest.raises(BuntimeError, match="more than 1,000 bytes"):
                        client.request("GET", "/x")
    assert 256 * _MEGABYTE == Response(200).max_bytes


def test_streams_are_not_limited() -> None:
    """Streams deliver their output while it arrives, so they are not limited."""
    text = responses.event("stdout", {"text": "x" * 1000})
    chunks = [text] * 10 + [responses.event("result", responses.RESULT)]
    response = Response(200, [("Content-Type", "text/event-stream")], chunks, max_bytes=2000)
    client = Buntime(transport=FunctionTransport(lambda _: response))
    assert 11 <= len(list(client.stream(session_id="ses_1", code="1"))) + 1
