"""Responses of the service, written by hand from the API sheet and not by our encoder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from buntime.transport import Response

CREATED: dict[str, Any] = {
    "sessionId": "ses_abc123def456ghi789",
    "expiresAt": "2024-01-20T10:30:00Z",
    "previewUrl": "https://ses-abc123def456ghi789.buntime.sh",
    "createdAt": "2024-01-19T10:30:00Z",
    "resourceLimits": {"memory": 1024, "cpu": 0.25, "timeout": 30, "disk": 1024},
}
INFO: dict[str, Any] = {
    "sessionId": "ses_abc123def456ghi789",
    "createdAt": "2024-01-19T10:30:00Z",
    "expiresAt": "2024-01-20T10:30:00Z",
    "lastActive": "2024-01-19T10:31:00Z",
    "state": "active",
    "filesCount": 2,
    "activeProcesses": 1,
    "metadata": {"project": "demo"},
}
RESULT: dict[str, Any] = {
    "stdout": "Sum: 15\n",
    "stderr": "",
    "exitCode": 0,
    "executionTime": 45,
    "memoryUsed": 12582912,
    "cpuTime": 42,
    "timedOut": False,
    "filesWritten": [],
}
DELETED = {"deleted": True, "sessionId": "ses_abc123def456ghi789"}
KILLED = {"killed": 1, "pids": [1234]}
WRITTEN = {"path": "data.csv", "size": 9}
LISTED = {"files": [{"path": "data.csv", "size": 9, "modified": "2024-01-19T10:30:00Z", "type": "file"}]}
READ = {"path": "data.csv", "content": "name,age\n", "size": 9}

Pairs = Iterable[tuple[str, str]]


def as_json(body: object, status: int = 200, headers: Pairs = ()) -> Response:
    """Return a response with a JSON body."""
    return raw(json.dumps(body).encode(), status, [("Content-Type", "application/json"), *headers])


def raw(body: bytes, status: int = 200, headers: Pairs = ()) -> Response:
    """Return a response with exactly this body."""
    return Response(status, list(headers), [body] if body else [])


def error_body(code: str, message: str = "no", details: object = None) -> dict[str, Any]:
    """Return the documented error envelope."""
    return {"error": {"code": code, "message": message, "details": details or {}}}


def error(
    status: int, code: str, message: str = "no", *, details: object = None, headers: Pairs = ()
) -> Response:
    """Return an error response in the documented envelope."""
    return as_json(error_body(code, message, details), status, headers)


def event(kind: str, data: object) -> bytes:
    """Return one server-sent event with a JSON body."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def event_stream(*chunks: bytes, headers: Pairs = ()) -> Response:
    """Return a streamed response of these chunks."""
    return Response(200, [("Content-Type", "text/event-stream"), *headers], chunks)


def result(**changes: object) -> Mapping[str, Any]:
    """Return the sample result with other fields."""
    return {**RESULT, **changes}
