"""Event streams: the parsers alone, and complete streamed executions."""

from __future__ import annotations

import http.client
import json
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import partial
from typing import Any, Callable
from urllib.parse import urlsplit

from benchmarks.clients import BODY, CODE, HEADERS, JSON_HEADERS, SESSION, import_peer
from benchmarks.measure import Effort, Sampler, compare, timed
from benchmarks.responses import STREAMS
from benchmarks.tables import Table
from buntime import Buntime
from buntime._support import sse

_CHUNK, _ROUNDS = 64 * 1024, 21
_REFERENCE = "httpx-sse"
_STREAMED = {**BODY, "stream": True}

Read = Callable[[], Iterable[Any]]
"""Start reading a stream."""
Reader = AbstractContextManager[Read]


def measure(effort: Effort, url: str) -> list[Table]:
    """Measure streams of large and of small events, in megabytes of stream a second."""
    tables = []
    for kind, path in (("64 KB", "large"), ("small", "small")):
        stream, base = STREAMS[path], f"{url}/{path}"
        chunks = [stream[at : at + _CHUNK] for at in range(0, len(stream), _CHUNK)]
        parsers: dict[str, Reader] = {
            "buntime's parser": nullcontext(partial(sse.events, chunks)),
            _REFERENCE: nullcontext(partial(_httpx_sse, chunks)),
            "sseclient-py": nullcontext(partial(_sseclient_py, chunks)),
        }
        clients: dict[str, Reader] = {
            "buntime client.stream": _buntime(base),
            _REFERENCE: _httpx(base),
            "sseclient-py": _sseclient(base),
            "http.client, not parsed": _http_client(base),
        }
        parsing = f"parsing {kind} events from memory, in chunks of 64 KB"
        streaming = f"a streamed execution of {kind} events over loopback, texts decoded from JSON"
        for name, title, readers in (("parser", parsing, parsers), ("stream", streaming, clients)):
            contenders = {label: _speed(reader, len(stream)) for label, reader in readers.items()}
            table = Table(f"{name}, {kind} events", title, "MB/s", _REFERENCE, more_is_better=True)
            tables.append(compare(table, contenders, effort.scale_rounds(_ROUNDS)))
    return tables


@contextmanager
def _speed(reader: Reader, size: int) -> Iterator[Sampler]:
    with reader as read:
        yield lambda: size / timed(lambda: deque(read(), maxlen=0)) / 1e6


def _httpx_sse(chunks: list[bytes]) -> Any:
    headers = {"Content-Type": "text/event-stream"}
    response = import_peer("httpx").Response(200, headers=headers, content=iter(chunks))
    return import_peer("httpx_sse").EventSource(response).iter_sse()


def _sseclient_py(chunks: list[bytes]) -> Any:
    return import_peer("sseclient").SSEClient(chunks).events()


@contextmanager
def _buntime(url: str) -> Iterator[Read]:
    def read() -> Iterator[str]:
        with client.stream(session_id=SESSION, code=CODE) as stream:
            for event in stream:
                yield event.text

    with Buntime("btk_123", base_url=url) as client:
        yield read


@contextmanager
def _httpx(url: str) -> Iterator[Read]:
    def read() -> Iterator[str]:
        with connect(client, "POST", f"{url}/execute", json=_STREAMED) as source:
            for event in source.iter_sse():
                yield json.loads(event.data).get("text")

    connect = import_peer("httpx_sse").connect_sse
    with import_peer("httpx").Client(headers=HEADERS) as client:
        yield read


@contextmanager
def _sseclient(url: str) -> Iterator[Read]:
    parse = import_peer("sseclient").SSEClient
    with import_peer("requests").Session() as session:
        post = partial(session.post, f"{url}/execute", headers=HEADERS, json=_STREAMED, stream=True)
        yield lambda: (json.loads(event.data).get("text") for event in parse(post()).events())


@contextmanager
def _http_client(url: str) -> Iterator[Read]:
    def read() -> Iterator[bytes]:
        connection.request("POST", f"{parts.path}/execute", json.dumps(_STREAMED), JSON_HEADERS)
        return iter(partial(connection.getresponse().read1, _CHUNK), b"")

    parts = urlsplit(url)
    with closing(http.client.HTTPConnection(parts.netloc)) as connection:
        yield read
