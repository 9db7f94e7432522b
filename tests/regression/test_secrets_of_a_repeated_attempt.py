"""A test recorded again after a failed attempt had a secret ``«env:TOKEN:2»``, as if there were two."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime.transport import FunctionTransport, RecordingTransport, ReplayTransport, Request, Response

_EXECUTE = '{"code": "1", "sessionId": "ses_x", "env": {"TOKEN": "%s"}}'


@pytest.mark.parametrize("attempts", [1, 2, 3])
@pytest.mark.parametrize("is_bytes", [False, True])
def test_the_secrets_of_an_attempt_that_is_repeated_leave_no_gap(
    tmp_path: Path, attempts: int, is_bytes: bool
) -> None:
    """The cassette is the one that a first attempt would have made, also in bodies of bytes."""
    path = tmp_path / "c.json"
    start = b"\xff" if is_bytes else b""

    def handler(request: Request) -> Response:
        return Response(200, (), [start + request.content.split(b'"')[-2]])

    transport = RecordingTransport(path, FunctionTransport(handler))
    mark = transport.mark()
    for attempt in range(attempts):
        transport.rewind(mark)
        for name in ("first", "second"):
            _send(transport, f"{name}-secret-of-{attempt}")  # another one in each attempt
    transport.close()
    assert "«env:TOKEN»" in path.read_text()
    assert "«env:TOKEN:2»" in path.read_text()
    assert "«env:TOKEN:3»" not in path.read_text()
    replaying = ReplayTransport(path)
    for name in ("one", "another"):
        assert _send(replaying, f"{name}-secret") == start + f"{name}-secret".encode()


def _send(transport: RecordingTransport | ReplayTransport, secret: str) -> bytes:
    with transport.send(Request("POST", "/execute", body=(_EXECUTE % secret).encode())) as response:
        return b"".join(response.chunks)
