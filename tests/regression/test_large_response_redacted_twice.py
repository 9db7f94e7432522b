"""Closing a recording redacted a large stream with a secret again: 1.9 seconds for 50 MB in place of 0.6."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from buntime.cassette.secrets.redactor import Redactor
from buntime.transport import FunctionTransport, RecordingTransport, Request, Response

_ID, _SECRET = "ses_aB3dE6gH9jK2", "a-secret-of-the-program"
_CREATE = Request("POST", "/sessions/create", body=b"{}")
_EXECUTE = Request(
    "POST",
    "/execute",
    headers=(("Content-Type", "application/json"),),
    body=json.dumps({"code": "1", "sessionId": _ID, "env": {"TOKEN": _SECRET}}).encode(),
)
_PIECES = [_SECRET[:7], _SECRET[7:], *["." * 999] * 2_000]


@pytest.mark.parametrize(("printed", "redacted"), [("", [["request"]]), (_ID, [["request", "response"]])])
@pytest.mark.parametrize("is_stream", [True, False])
def test_a_large_response_without_ids_is_redacted_once(
    printed: str, redacted: list[list[str]], is_stream: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request has the id of its session, and is redacted again with it."""
    kind = "text/event-stream" if is_stream else "text/plain"

    def handler(request: Request) -> Response:
        if request.path == _CREATE.path:
            return Response(
                200, {"Content-Type": "application/json"}, [json.dumps({"sessionId": _ID}).encode()]
            )
        pieces = [*_PIECES, printed]
        events = [f"event: stdout\ndata: {json.dumps({'chunk': piece})}\n\n" for piece in pieces]
        return Response(200, {"Content-Type": kind}, map(str.encode, events if is_stream else pieces))

    calls: list[list[str]] = []
    redact = Redactor.redact

    def noting(self: Redactor, data: Any, *ids: Any) -> dict[str, Any]:
        calls.append([*data])
        return redact(self, data, *ids)

    transport = RecordingTransport(tmp_path / "c.json", FunctionTransport(handler))
    for request in (_CREATE, _EXECUTE):
        with transport.send(request) as response:
            assert sum(map(len, response.chunks)) > 0
    monkeypatch.setattr(Redactor, "redact", noting)
    transport.close()
    assert redacted == calls
    text = (tmp_path / "c.json").read_text()
    assert '"sessionId": "ses_1"' in text
    assert _ID not in text
    assert _SECRET not in text
