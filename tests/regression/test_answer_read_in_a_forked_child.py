"""A forked child that read an answer its parent was reading took the bytes away from it."""

from __future__ import annotations

import threading

from buntime import Buntime, ExecuteStream
from buntime.transport import HTTPTransport
from tests.support import responses
from tests.support.forks import in_a_fork, needs_fork
from tests.support.loopback import Exchange, LoopbackServer

_MESSAGE = "RuntimeError: this answer belongs to the process that made the call; make a call in this process"


@needs_fork
def test_a_stream_is_read_on_by_its_own_process_only() -> None:
    """A child is refused by name; that it closes the stream disturbs nobody."""
    forked = threading.Event()

    def talk(exchange: Exchange) -> None:
        exchange.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        exchange.chunk(responses.event("stdout", {"text": "a"}))
        exchange.chunk(responses.event("stdout", {"text": "b"}))
        exchange.wait(forked)
        exchange.chunk(responses.event("result", responses.RESULT))
        exchange.chunk(b"")

    with (
        LoopbackServer(talk) as server,
        Buntime(transport=HTTPTransport(server.url)) as client,
        client.stream(session_id="ses_1", code="1") as stream,
    ):
        assert "a" == next(stream).text
        assert _MESSAGE == in_a_fork(lambda: list(stream))
        assert "closed" == in_a_fork(lambda: _closed(stream))
        forked.set()
        assert ["b"] == [event.text for event in stream]
        assert 0 == stream.result.exit_code


def _closed(stream: ExecuteStream) -> str:
    stream.close()
    return "closed"
