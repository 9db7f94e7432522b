"""The client delivers the first event as soon as the server has flushed it."""

from __future__ import annotations

import threading
from typing import Callable

import pytest

from buntime import APIConnectionError, Buntime, StreamEvent
from tests.support import responses
from tests.support.loopback import Exchange, LoopbackServer

_FIRST = responses.event("stdout", {"text": "first\n"})
_REST = responses.event("stderr", {"text": "second\n"}) + responses.event("result", responses.RESULT)
_HEADERS = [("Content-Type", "text/event-stream")]


def _chunked(exchange: Exchange, gate: threading.Event) -> None:
    exchange.head(200, [*_HEADERS, ("Transfer-Encoding", "chunked")])
    exchange.chunk(_FIRST)
    exchange.wait(gate)
    for data in (_REST, b""):
        exchange.chunk(data)


def _close_delimited(exchange: Exchange, gate: threading.Event) -> None:
    exchange.head(200, [*_HEADERS, ("Connection", "close")])
    exchange.send(_FIRST)
    exchange.wait(gate)
    exchange.send(_REST)
    exchange.drop()


_WAYS = pytest.mark.parametrize("way", [_chunked, _close_delimited])
_Way = Callable[[Exchange, threading.Event], None]


@_WAYS
def test_an_event_arrives_before_the_next_is_sent(way: _Way) -> None:
    """The server sends the second event only after the client has received the first."""
    gate = threading.Event()
    with (
        LoopbackServer(lambda exchange: way(exchange, gate)) as server,
        Buntime("btk_1", base_url=server.url) as client,
        client.stream(session_id="ses_1", code="1") as stream,
    ):
        assert StreamEvent("stdout", "first\n") == next(stream)
        gate.set()
        assert [StreamEvent("stderr", "second\n")] == list(stream)
        assert 0 == stream.result.exit_code


@_WAYS
@pytest.mark.parametrize("by_line", [False, True])
def test_callbacks_and_lines_are_not_delayed(way: _Way, by_line: bool) -> None:
    """No layer between the socket and the caller delays output."""
    gate = threading.Event()
    lines: list[str] = []

    def received(text: str) -> None:
        lines.append(text.strip())
        gate.set()

    with (
        LoopbackServer(lambda exchange: way(exchange, gate)) as server,
        Buntime("btk_1", base_url=server.url) as client,
    ):
        session = client.sessions.attach("ses_1")
        if by_line:
            for line in session.stream("1").lines():
                received(line.text)
        else:
            session.execute("1", on_stdout=received, on_stderr=received)
    assert ["first", "second"] == lines


@_WAYS
def test_leaving_early_closes_the_connection(way: _Way) -> None:
    """The server notices the closed connection while it is still streaming."""
    gate = threading.Event()
    with (
        LoopbackServer(lambda exchange: way(exchange, gate)) as server,
        Buntime("btk_1", base_url=server.url) as client,
    ):
        with client.stream(session_id="ses_1", code="1") as stream:
            next(stream)
            assert 1 == server.open_connections
        gate.set()
        server.wait_for(lambda lines: not lines.open_connections)


def test_an_interrupted_stream_keeps_its_output() -> None:
    """The error sets ``maybe_executed``, and the output so far is available."""

    def cut(exchange: Exchange) -> None:
        exchange.head(200, [*_HEADERS, ("Connection", "close")])
        exchange.send(_FIRST + _REST[:20])
        exchange.drop()

    with (
        LoopbackServer(cut) as server,
        Buntime("btk_1", base_url=server.url) as client,
        client.stream(session_id="ses_1", code="1") as stream,
    ):
        with pytest.raises(APIConnectionError, match="without a result") as caught:
            list(stream)
        assert caught.value.maybe_executed
        assert ("first\n", "") == (stream.stdout, stream.stderr)
        assert 1 == len(server.requests)
