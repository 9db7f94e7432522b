"""Closing a recording waited for the end of a stream that another thread was still reading."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from buntime.cassette.file import load
from buntime.transport import FunctionTransport, RecordingTransport, Request, Response

_REQUEST = Request("POST", "/execute", body=b'{"code": "0", "stream": true}')


def test_a_recording_is_closed_while_a_thread_reads_a_stream(tmp_path: Path) -> None:
    """It has the events up to then, and the thread reads on."""
    is_closed, is_read, is_read_on = threading.Event(), threading.Event(), threading.Event()

    def chunks() -> Iterator[bytes]:
        while not is_closed.is_set():
            yield b'event: stdout\ndata: {"text": "%s"}\n\n' % (b"a" * 20_000)
            is_read.set()
        yield b'event: stdout\ndata: {"text": "b"}\n\n'

    def respond(_: Request) -> Response:
        return Response(200, [("Content-Type", "text/event-stream")], chunks())

    path = tmp_path / "cassette.json"
    transport = RecordingTransport(path, FunctionTransport(respond))

    def read() -> None:
        if b'"b"' in list(transport.send(_REQUEST).chunks)[-1]:
            is_read_on.set()

    reader, closer = threading.Thread(target=read), threading.Thread(target=transport.close)
    reader.start()
    is_read.wait(10)
    closer.start()
    closer.join(10)
    was_closed = not closer.is_alive()
    is_closed.set()
    reader.join(10)
    closer.join(60)
    assert was_closed
    assert is_read_on.is_set()
    assert '"b"' not in path.read_text()
    assert (load(path).interactions[0].response or {})["left"]
