"""While a stream was recorded, its output was in memory up to ten times."""

from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime, CassetteError, ExecuteStream
from buntime.cassette.file import load
from buntime.cassette.journal import recover
from buntime.transport import FakeTransport, FunctionTransport, RecordingTransport, Request, Response
from tests.support.cassettes import replay

PIECE = ("a line of output, " * 4 + "\n") * 900
COUNT = 60
SIZE = len(PIECE) * COUNT
SECRET = "the value of TOKEN"
ENV = {"TOKEN": SECRET}


def _recording(
    path: Path, pieces: list[str], last: dict[str, object] | None = None, **options: object
) -> RecordingTransport:
    def events() -> Iterator[bytes]:
        for piece in pieces:
            yield f"event: stdout\ndata: {json.dumps({'text': piece})}\n\n".encode()
        yield f"event: result\ndata: {json.dumps({'exitCode': 0, **(last or {})})}\n\n".encode()

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


def _peak(client: Buntime, session_id: str = "ses_1") -> int:
    """Return the most memory that a recording of a stream needs, its end included."""
    tracemalloc.start()
    try:
        with client, client.stream(session_id=session_id, code="1", max_output=1000) as stream:
            for _ in stream:
                pass
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("piece", [PIECE, "x" * len(PIECE)], ids=["lines", "one word"])
def test_the_output_is_not_in_memory_as_a_whole(piece: str, tmp_path: Path) -> None:
    """Neither while it is read nor when the cassette is written; a few megabytes of it are."""
    _peak(Buntime(transport=_recording(tmp_path / "imports.json", [piece])))
    client = Buntime(transport=_recording(tmp_path / "x.json", [piece] * 2 * COUNT))
    assert _peak(client) < 1.3 * 2 * SIZE


@pytest.mark.parametrize(
    "script",
    [{"stdout": PIECE * COUNT}, {"chunks": [("stdout", PIECE)] * COUNT}],
    ids=["one piece", "many pieces"],
)
def test_the_output_of_a_fake_is_in_memory_a_few_times(script: dict[str, Any], tmp_path: Path) -> None:
    """The last event repeats it, which is a single chunk."""
    fake = FakeTransport()
    fake.on_execute("1", **script)
    client = Buntime(transport=RecordingTransport(tmp_path / "x.json", fake))
    assert _peak(client, client.sessions.create().id) < 6 * SIZE


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


def test_a_secret_that_is_learned_later_is_found_in_output_that_the_service_truncated(tmp_path: Path) -> None:
    """In the events, and in the beginning and the end of the output in the result."""
    output = f"{SECRET} {PIECE * COUNT} {SECRET}"
    pieces = [output[start : start + 60_000] for start in range(0, len(output), 60_000)]
    left_out = f"\n[... {len(output) - 18_000} bytes of output left out ...]\n"
    truncated = f"{output[:9000]}{left_out}{output[-9000:]}"
    path = tmp_path / "x.json"
    transport = _recording(path, pieces, {"stdout": truncated}, allow=["«env:TOKEN»"])
    with Buntime(transport=transport) as client:
        live = _program(client)
    assert SECRET not in path.read_text()
    assert live.replace(SECRET, "«env:TOKEN»") == replay(path, _program, key=None)
    response = load(path).interactions[0].response or {}
    assert truncated.replace(SECRET, "«env:TOKEN»") == response["events"][-1][2]["stdout"]


@pytest.mark.parametrize("before", range(3))
def test_a_key_in_megabytes_of_base64_blocks_it(before: int, tmp_path: Path) -> None:
    """Also if they are one line, whatever precedes it."""
    key = f" ghp_{'a1' * 18} "
    content = bytes(range(256)) * 5000 + b"x" * before + key.encode() + bytes(range(256)) * 5000
    text = "y" * before + " " + base64.b64encode(content).decode()
    pieces = [text[start : start + 60_000] for start in range(0, len(text), 60_000)]
    client = Buntime(transport=_recording(tmp_path / "x.json", pieces))
    _program(client)
    with pytest.raises(CassetteError, match="holds a GitHub token"):
        client.close()


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
    recover(part, tmp_path / "recovered.json")
    assert path.read_bytes() == (tmp_path / "recovered.json").read_bytes()
