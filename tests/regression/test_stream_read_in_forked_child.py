"""A forked child that read a stream of its parent consumed the parent's bytes."""

from __future__ import annotations

import threading

from buntime import Buntime, ExecuteStream
from buntime.transport import HTTPTransport
from tests.support import responses
from tests.support.forks import needs_fork, run_in_fork
from tests.support.loopback import Exchange, LoopbackServer

_MESSAGE = "RuntimeError: this answer belongs to the process that made the call; make a call in this process"


@needs_fork
def test_only_the_process_that_opened_a_stream_reads_it() -> None:
    """Reading in a child raises an error; closing the stream there does not affect the parent."""
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
        assert _MESSAGE == run_in_fork(lambda: list(stream))
        assert "closed" == run_in_fork(lambda: _closed(stream))
        forked.set()
        assert ["b"] == [event.text for event in stream]
        assert 0 == stream.result.exit_code


def _closed(stream: ExecuteStream) -> str:
    stream.close()
    return "closed"
