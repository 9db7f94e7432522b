"""A secret in a body of bytes was overlooked when a request named it, or a response showed it early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buntime import CassetteError
from buntime.transport import FunctionTransport, RecordingTransport, ReplayTransport, Request, Response

SECRET = "a-secret-of-the-program"
BYTES = b"\xff\x00" + SECRET.encode()
UPLOAD = Request("PUT", "/up", headers=(("Content-Type", "application/octet-stream"),), body=BYTES)
DOWNLOAD = Request("GET", "/down")
EXECUTE = Request("POST", "/execute", body=b'{"code": "1", "env": {"TOKEN": "%s"}}' % SECRET.encode())


def _send(transport: Any, *requests: Request) -> list[bytes]:
    bodies = []
    for request in requests:
        with transport.send(request) as response:
            bodies.append(b"".join(response.chunks))
    transport.close()
    return bodies


def _recording(path: Path, body: bytes) -> RecordingTransport:
    def handler(request: Request) -> Response:
        return Response(200, (), [body] if request == DOWNLOAD else [])

    return RecordingTransport(path, FunctionTransport(handler))


def test_a_request_of_bytes_names_a_secret(tmp_path: Path) -> None:
    """So a response may show it afterwards."""
    path = tmp_path / "c.json"
    for text in (SECRET.encode(), BYTES):
        recorded = _send(_recording(path, text), UPLOAD, DOWNLOAD, EXECUTE)
        assert recorded == _send(ReplayTransport(path), UPLOAD, DOWNLOAD, EXECUTE)
        assert SECRET not in path.read_text()


def test_a_response_of_bytes_that_shows_a_secret_early_is_blocked(tmp_path: Path) -> None:
    """Replay would return its placeholder."""
    with pytest.raises(CassetteError, match="holds «env:TOKEN» before a request does"):
        _send(_recording(tmp_path / "c.json", BYTES), DOWNLOAD, EXECUTE)
