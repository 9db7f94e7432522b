"""A response that another thread closed ended with an AttributeError, or as if it were complete."""

from __future__ import annotations

import gzip
import threading
from contextlib import closing
from typing import Any

import pytest
import requests

from buntime import APIConnectionError
from buntime.transport import HTTPTransport
from tests.support.cases import in_one_test
from tests.support.exchanges import PATIENT
from tests.support.loopback import Exchange, LoopbackServer


@in_one_test(
    ("headers", "piece"),
    [
        ([("Transfer-Encoding", "chunked")], b"1\r\nx\r\n"),
        # The header alone is decoded to nothing.
        ([("Content-Encoding", "gzip")], gzip.compress(b"x" * 99)[:10]),
        ([("Content-Length", "99")], b"x"),
        ([], b"x"),
    ],
)
def test_closing_a_response_that_another_thread_reads(headers: list[tuple[str, str]], piece: bytes) -> None:
    """The thread that reads it gets the error of a response that was closed before its end."""
    closed = threading.Event()

    def handle(exchange: Exchange) -> None:
        exchange.head(200, headers)
        exchange.wait(closed)
        exchange.send(piece)
        exchange.hold()

    sources: list[Any] = []
    with LoopbackServer(handle) as server, requests.Session() as session:
        session.hooks["response"].append(lambda reply, **_: sources.append(reply.raw._original_response))
        with closing(HTTPTransport(server.url, session=session)) as transport:
            response = transport.send(PATIENT)
            errors: list[BaseException] = []

            def read() -> None:
                try:
                    response.read()
                except BaseException as error:
                    errors.append(error)

            reader = threading.Thread(target=read)
            reader.start()
            closer = threading.Thread(target=response.close)
            closer.start()
            while not sources[0].isclosed():
                closer.join(0.01)
            closed.set()
            closer.join()
            reader.join()
    with pytest.raises(APIConnectionError, match="closed before its end"):
        raise errors[0]
