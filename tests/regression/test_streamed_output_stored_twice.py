"""A recorded stream had its output twice: in its events, and again in the result."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime
from buntime.transport import FunctionTransport, RecordingTransport, Request, Response
from tests.support.cassettes import replay

PIECE = ("a line of output, " * 10 + "\n") * 45
COUNT = 500
SIZE = len(PIECE) * COUNT


OUTPUT = PIECE * COUNT
THIRD = SIZE // 3
TRUNCATED = f"{OUTPUT[:THIRD]}\n[... {SIZE - 2 * THIRD} bytes of output left out ...]\n{OUTPUT[-THIRD:]}"


def _events(last: dict[str, str]) -> Iterator[bytes]:
    for _ in range(COUNT):
        yield f"event: stdout\ndata: {json.dumps({'text': PIECE})}\n\n".encode()
    yield f"event: result\ndata: {json.dumps({**last, 'stderr': '', 'exitCode': 0})}\n\n".encode()


def _service(last: dict[str, str]) -> FunctionTransport:
    def respond(_: Request) -> Response:
        return Response(200, {"Content-Type": "text/event-stream"}, _events(last))

    return FunctionTransport(respond)


def _program(client: Buntime) -> str:
    with client.stream(session_id="ses_1", code="1") as stream:
        for _ in stream:
            pass
    return stream.result.check().stdout


@pytest.mark.parametrize("last", [{"stdout": OUTPUT}, {"stdout": TRUNCATED}, {}])
def test_the_output_is_stored_once(last: dict[str, str], tmp_path: Path) -> None:
    """Replay returns the same result, also if the service truncates the output in it."""
    path = tmp_path / "x.json"
    with Buntime(transport=RecordingTransport(path, _service(last))) as client:
        live = _program(client)
    assert OUTPUT == live
    assert path.stat().st_size < 1.2 * SIZE
    assert live == replay(path, _program, key=None)


def test_memory_is_a_small_multiple_of_the_output(tmp_path: Path) -> None:
    """While it is recorded and when the cassette is written."""
    tracemalloc.start()
    try:
        transport = RecordingTransport(tmp_path / "x.json", _service({}))
        with Buntime(transport=transport, max_output=1000) as client:
            _program(client)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4.5 * SIZE
