"""A cache returned the text from before an overwrite, and nginx buffered a stream until its end."""

from __future__ import annotations

from tests.support.wire_client import WireClient
from tests.unit.service.conftest import make_wire_client, wire_client

__all__ = ["make_wire_client", "wire_client"]


def test_no_response_is_cached(wire_client: WireClient) -> None:
    """Results, errors and streams have the header."""
    session_id = wire_client.create()
    wire_client.post("/files/write", {"sessionId": session_id, "path": "a", "content": ""})
    for response in (
        wire_client.get("/files/read", sessionId=session_id, path="a"),
        wire_client.get("/files/read", sessionId=session_id, path="missing"),
        wire_client.send("POST", "/execute", {"sessionId": session_id, "code": "1", "stream": True}),
    ):
        assert "no-store" == response.headers["Cache-Control"]


def test_a_stream_is_not_buffered(wire_client: WireClient) -> None:
    """The header disables buffering in nginx."""
    body = {"sessionId": wire_client.create(), "code": "1", "stream": True}
    assert "no" == wire_client.send("POST", "/execute", body).headers["X-Accel-Buffering"]
