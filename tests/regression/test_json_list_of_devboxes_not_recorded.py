"""A response of Runloop that is a JSON list, such as a stored file, was taken for the events of a stream.

Most could not be recorded, and some not replayed.
"""

from __future__ import annotations

from pathlib import Path

from buntime.transport import (
    FunctionTransport,
    RecordingTransport,
    ReplayTransport,
    Request,
    Response,
    Transport,
)
from tests.support.cases import in_one_test


def _fetch(transport: Transport) -> bytes:
    with transport.send(Request("GET", "/list.json", origin="https://storage.example")) as response:
        return b"".join(response.chunks)


@in_one_test(
    "body",
    [b"[1,2]", b"[null]", b'[{"a":1}]', b'[{"a":1,"b":2,"c":3}]', b"[[1,2,3]]", b'[[1,"stdout","x"]]', b"[]"],
)
def test_json_list_is_replayed_as_it_was_recorded(body: bytes, tmp_path: Path) -> None:
    """A list is recorded and replayed, whatever its items are."""
    path = tmp_path / "list.json"
    headers = [("Content-Type", "application/json")]
    recording = RecordingTransport(path, FunctionTransport(lambda _: Response(200, headers, [body])))
    assert _fetch(recording) == body
    recording.close()
    assert _fetch(ReplayTransport(path)) == body
