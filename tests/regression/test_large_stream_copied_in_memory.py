"""While a stream was recorded, its output was in memory up to ten times."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime, CassetteError, ExecuteStream
from buntime.cassette import file
from buntime.transport import FunctionTransport, RecordingTransport, Request, Response
from tests.support.cassettes import replay

PIECE = ("a line of output, " * 4 + "\n") * 900
COUNT = 60
SIZE = len(PIECE) * COUNT
SECRET = "the value of TOKEN"
ENV = {"TOKEN": SECRET}


def _recording(path: Path, pieces: list[str], **options: object) -> RecordingTransport:
    def events() -> Iterator[bytes]:
        for piece in pieces:
            yield f"event: stdout\ndata: {json.dumps({'text': piece})}\n\n".encode()
        yield b'event: result\ndata: {"exitCode":0}\n\n'

    def respond(request: Request) -> Response:
        if b'"stream":true' in request.content:
            return Response(200, {"Content-Type": "text/event-stream"}, events())
        body = b'{"stdout":"","stderr":"","exitCode":0}'
        return Response(200, {"Content-Type": "application/json"}, [body])

    return RecordingTransport(path, FunctionTransport(respond), **options)  # type: ignore[arg-type]


def _stream(client: Buntime) -> ExecuteStream:
    return client.stream(session_id="ses_1", code="1", max_output=1000)


def _program(client: Buntime) -> str:
    with _stream(client) as stream:
        texts = [event.text for event in stream]
    client.execute(session_id="ses_1", code="2", env=ENV)
    return "".join(texts)


def test_the_output_is_in_memory_once(tmp_path: Path) -> None:
    """While it is read, and when the cassette is written."""
    tracemalloc.start()
    try:
        transport = _recording(tmp_path / "x.json", [PIECE] * COUNT)
        with Buntime(transport=transport) as client, _stream(client) as stream:
            for _ in stream:
                pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2.5 * SIZE


@pytest.mark.parametrize("cut", [0, 1, len(SECRET) // 2, len(SECRET)])
def test_a_secret_that_is_learned_later_is_found_in_a_large_stream(cut: int, tmp_path: Path) -> None:
    """In a piece and between two, in all parts of the output."""
    pieces = [PIECE] * COUNT
    for number in range(0, COUNT - 1, 2):
        pieces[number] += SECRET[:cut]
        pieces[number + 1] = SECRET[cut:] + PIECE
    path = tmp_path / "x.json"
    with Buntime(transport=_recording(path, pieces, allow=["«env:TOKEN»"])) as client:
        live = _program(client)
    assert live == "".join(pieces)
    assert SECRET not in path.read_text()
    assert live.replace(SECRET, "«env:TOKEN»") == replay(path, _program, key=None)


def test_a_key_in_a_large_stream_blocks_it(tmp_path: Path) -> None:
    """Also between two pieces."""
    pieces = [PIECE] * COUNT
    pieces[COUNT // 2] += "key: ghp_"
    pieces[COUNT // 2 + 1] = f"{'a1' * 18}\n{PIECE}"
    client = Buntime(transport=_recording(tmp_path / "x.json", pieces))
    _program(client)
    with pytest.raises(CassetteError, match="holds a GitHub token"):
        client.close()


def test_an_interrupted_recording_of_a_large_stream_is_recovered(tmp_path: Path) -> None:
    """The events are those that a finished recording has."""
    path = tmp_path / "x.json"
    transport = _recording(path, [PIECE] * COUNT)
    client = Buntime(transport=transport)
    _program(client)
    part = tmp_path / "killed.part"
    part.write_bytes((tmp_path / "x.json.part").read_bytes())
    client.close()
    file.recover(part, tmp_path / "recovered.json")
    assert path.read_bytes() == (tmp_path / "recovered.json").read_bytes()
