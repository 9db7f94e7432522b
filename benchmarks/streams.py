"""Event streams: the parser by itself, and a whole streamed execution."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Callable
from urllib.parse import urlsplit

from benchmarks import answers
from benchmarks.answers import SESSION
from benchmarks.calls import BODY, HEADERS
from benchmarks.measuring import Effort, Maker, Round, compared
from benchmarks.peers import peer
from benchmarks.results import Table
from benchmarks.server import loopback
from buntime import Buntime
from buntime.wire import sse

_PIECE = 64 * 1024
_ROUNDS = 21
_MEGABYTE = 1e6
_REFERENCE = "httpx-sse"

Read = Callable[[], Iterable[Any]]
"""Reads one stream to its end."""


def measure(effort: Effort) -> list[Table]:
    """Measure streams of large and of small events, as megabytes of stream a second."""
    rounds = effort.times(_ROUNDS)
    streams = {"64 KB": answers.large_events(), "small": answers.small_events()}
    tables = [_parsers(kind, stream, rounds) for kind, stream in streams.items()]
    with loopback() as url:
        tables += [
            _clients(kind, f"{url}/{path}", len(stream), rounds)
            for (kind, stream), path in zip(streams.items(), ("large", "small"))
        ]
    return tables


def _parsers(kind: str, stream: bytes, rounds: int) -> Table:
    pieces = [stream[at : at + _PIECE] for at in range(0, len(stream), _PIECE)]
    contenders: dict[str, Maker] = {
        "buntime.wire.sse": lambda _: _speed(lambda: sse.events(pieces), len(stream)),
        _REFERENCE: lambda _: _speed(_httpx_sse(pieces), len(stream)),
        "sseclient-py": lambda _: _speed(_sseclient(pieces), len(stream)),
    }
    title = f"parsing {kind} events from memory, in pieces of 64 KB"
    return Table(
        f"parser, {kind} events",
        title,
        "MB/s",
        _REFERENCE,
        compared(contenders, rounds),
        more_is_better=True,
    )


def _httpx_sse(pieces: list[bytes]) -> Read:
    source = peer("httpx_sse").EventSource
    httpx = peer("httpx")
    headers = {"Content-Type": "text/event-stream"}
    return lambda: source(httpx.Response(200, headers=headers, content=iter(pieces))).iter_sse()


def _sseclient(pieces: list[bytes]) -> Read:
    client = peer("sseclient").SSEClient
    return lambda: client(_Pieces(pieces)).events()


class _Pieces:
    """What sseclient-py reads: iterable, and to be closed."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._pieces)

    def close(self) -> None:
        """Close nothing."""


def _clients(kind: str, url: str, size: int, rounds: int) -> Table:
    contenders: dict[str, Maker] = {
        "buntime client.stream": lambda stack: _speed(_buntime_stream(url, stack), size),
        _REFERENCE: lambda stack: _speed(_httpx_stream(url, stack), size),
        "sseclient-py": lambda stack: _speed(_requests_stream(url, stack), size),
        "http.client, not parsed": lambda stack: _speed(_bare_stream(url, stack), size),
    }
    title = f"a streamed execution of {kind} events over loopback, texts decoded from JSON"
    return Table(
        f"stream, {kind} events",
        title,
        "MB/s",
        _REFERENCE,
        compared(contenders, rounds),
        more_is_better=True,
    )


def _buntime_stream(url: str, stack: ExitStack) -> Read:
    client = stack.enter_context(Buntime("btk_123", base_url=url))

    def read() -> Iterator[str]:
        with client.stream(session_id=SESSION, code=BODY["code"]) as stream:
            for event in stream:
                yield event.text

    return read


def _httpx_stream(url: str, stack: ExitStack) -> Read:
    client = stack.enter_context(peer("httpx").Client(headers=HEADERS))
    connect = peer("httpx_sse").connect_sse

    def read() -> Iterator[str]:
        with connect(client, "POST", f"{url}/execute", json={**BODY, "stream": True}) as source:
            for event in source.iter_sse():
                yield json.loads(event.data).get("text")

    return read


def _requests_stream(url: str, stack: ExitStack) -> Read:
    session = stack.enter_context(peer("requests").Session())
    session.headers.update(HEADERS)
    client = peer("sseclient").SSEClient

    def read() -> Iterator[str]:
        answer = session.post(f"{url}/execute", json={**BODY, "stream": True}, stream=True)
        for event in client(answer).events():
            yield json.loads(event.data).get("text")

    return read


def _bare_stream(url: str, stack: ExitStack) -> Read:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc)
    stack.callback(connection.close)

    def read() -> Iterator[bytes]:
        connection.request("POST", f"{parts.path}/execute", json.dumps({**BODY, "stream": True}), HEADERS)
        with connection.getresponse() as answer:
            yield from iter(lambda: answer.read1(_PIECE), b"")

    return read


def _speed(read: Read, size: int) -> Round:
    def measure() -> float:
        start = time.perf_counter()
        for _ in read():
            pass
        return size / (time.perf_counter() - start) / _MEGABYTE

    return measure
