"""What the loopback server answers, path by path."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

SESSION = "ses_abc123def456ghi789"
RESULT = {
    "stdout": "Sum: 15\n",
    "stderr": "",
    "exitCode": 0,
    "executionTime": 45,
    "memoryUsed": 12582912,
    "cpuTime": 42,
    "timedOut": False,
    "filesWritten": [],
}
_CREATED = {
    "sessionId": "ses_@@@@@@@@",
    "expiresAt": "2034-01-20T10:30:00Z",
    "previewUrl": "https://ses-abc123def456ghi789.buntime.sh",
    "createdAt": "2034-01-19T10:30:00Z",
    "resourceLimits": {"memory": 1024, "cpu": 0.25, "timeout": 30, "disk": 1024},
}
_RUNLOOP_DEVBOX = {"id": "dbx_1", "status": "running", "create_time_ms": 1700000000000}
_RUNLOOP_RESULT = {
    "devbox_id": "dbx_1",
    "execution_id": "exec_1",
    "status": "completed",
    "exit_status": 0,
    "stdout": "Sum: 15\n",
    "stderr": "",
    "stdout_truncated": False,
    "stderr_truncated": False,
}
_E2B_SANDBOX = {
    "sandboxID": "sbx_1",
    "templateID": "base",
    "clientID": "client",
    "envdVersion": "0.5.0",
    "envdAccessToken": "token",
}


def large_events() -> bytes:
    """Return an event stream whose events have 64 KB of text each."""
    return _events(64 * 1024, 200)


def small_events() -> bytes:
    """Return an event stream whose events have a line of text each."""
    return _events(40, 5000)


def _events(text: int, count: int) -> bytes:
    line = ("0123456789abcdef" * (text // 16 + 1))[: text - 1] + "\n"
    event = b"event: stdout\ndata: %b\n\n" % json.dumps({"text": line}).encode()
    result = json.dumps({**RESULT, "stdout": ""}).encode()
    return event * count + b"event: result\ndata: %b\n\n" % result


def _connect_stream(*messages: object) -> bytes:
    """Return messages as Connect frames them, the last being the end of the stream."""
    encoded = [json.dumps(message).encode() for message in messages]
    flags = [0] * (len(encoded) - 1) + [2]
    return b"".join(bytes([flag]) + len(one).to_bytes(4, "big") + one for flag, one in zip(flags, encoded))


def _whole(body: bytes, content_type: str = "application/json", status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _e2b_execution() -> bytes:
    output = base64.b64encode(b"Sum: 15\n").decode()
    return _connect_stream(
        {"event": {"start": {"pid": 7}}},
        {"event": {"data": {"stdout": output}}},
        {"event": {"end": {"exited": True, "status": "exit status 0"}}},
        {},
    )


def table() -> dict[bytes, bytes]:
    """Return the whole answer to each path."""
    execution = _whole(json.dumps(RESULT).encode())
    paths: Iterable[tuple[str, bytes]] = (
        ("/execute", execution),
        ("/slow/execute", execution),
        ("/sessions/create", _whole(json.dumps(_CREATED).encode())),
        ("/slow/sessions/create", _whole(json.dumps(_CREATED).encode())),
        ("/large/execute", _whole(large_events(), "text/event-stream")),
        ("/small/execute", _whole(small_events(), "text/event-stream")),
        ("/v1/devboxes/create_and_await_running", _whole(json.dumps(_RUNLOOP_DEVBOX).encode())),
        ("/v1/devboxes/dbx_1/execute_async", _whole(json.dumps(_RUNLOOP_RESULT).encode())),
        ("/v2/sandboxes", _whole(json.dumps(_E2B_SANDBOX).encode(), status="201 Created")),
        ("/process.Process/Start", _whole(_e2b_execution(), "application/connect+json")),
        ("/upload", _whole(b"{}")),
    )
    return {path.encode(): answer for path, answer in paths}


DELETED = _whole(b'{"deleted":true,"sessionId":"ses_1"}')
