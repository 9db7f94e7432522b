"""The responses of the loopback server, by path."""

from __future__ import annotations

import base64
import json

_USAGE = (
    b'"exitCode":0,"executionTime":45,"memoryUsed":12582912,"cpuTime":42,"timedOut":false,"filesWritten":[]'
)
_RESULT = b'{"stdout":"Sum: 15\\n","stderr":"",%b}' % _USAGE
# The server replaces the @ by a number.
_CREATED = (
    b'{"sessionId":"ses_@@@@@@@@","previewUrl":"https://ses-abc123def456ghi789.buntime.sh",'
    b'"createdAt":"2034-01-19T10:30:00Z","expiresAt":"2034-01-20T10:30:00Z",'
    b'"resourceLimits":{"memory":1024,"cpu":0.25,"timeout":30,"disk":1024}}'
)
_RUNLOOP_DEVBOX = b'{"id":"dbx_1","status":"running","create_time_ms":1700000000000}'
_RUNLOOP_RESULT = (
    b'{"devbox_id":"dbx_1","execution_id":"exec_1","status":"completed","exit_status":0,'
    b'"stdout":"Sum: 15\\n","stderr":"","stdout_truncated":false,"stderr_truncated":false}'
)
# The command of the official client's first request runs; its second one waits for the end.
_RUNLOOP_RUNNING = b'{"devbox_id":"dbx_1","execution_id":"exec_1","status":"running"}'
_E2B_SANDBOX = (
    b'{"sandboxID":"sbx_1","templateID":"base","clientID":"client","envdVersion":"0.5.0",'
    b'"envdAccessToken":"token"}'
)
_E2B_EVENTS = (
    (b"\0", b'{"event":{"start":{"pid":7}}}'),
    (b"\0", b'{"event":{"data":{"stdout":"%b"}}}' % base64.b64encode(b"Sum: 15\n")),
    (b"\0", b'{"event":{"end":{"exited":true,"status":"exit status 0"}}}'),
    (b"\2", b"{}"),
)


def event_stream(text_size: int, count: int) -> bytes:
    """Return a streamed execution with ``count`` events of ``text_size`` bytes each."""
    text = ("0123456789abcdef" * (text_size // 16 + 1))[: text_size - 1] + "\n"
    event = b"event: stdout\ndata: %b\n\n" % json.dumps({"text": text}).encode()
    return event * count + b'event: result\ndata: {"stdout":"","stderr":"",%b}\n\n' % _USAGE


STREAMS = {"large": event_stream(64 * 1024, 200), "small": event_stream(40, 5000)}


def http_response(body: bytes, content_type: str = "application/json", status: str = "200 OK") -> bytes:
    """Return the bytes of a complete response."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def responses_by_path() -> dict[bytes, bytes]:
    """Return the response to each path; paths that are missing are deletions."""
    # A frame of the Connect protocol is a flag (2 marks the last one), the length, and the message.
    frames = [flag + len(event).to_bytes(4, "big") + event for flag, event in _E2B_EVENTS]
    return {
        b"/execute": http_response(_RESULT),
        b"/sessions/create": http_response(_CREATED),
        b"/large/execute": http_response(STREAMS["large"], "text/event-stream"),
        b"/small/execute": http_response(STREAMS["small"], "text/event-stream"),
        b"/v1/devboxes/create_and_await_running": http_response(_RUNLOOP_DEVBOX),
        b"/v1/devboxes/dbx_1/execute_async": http_response(_RUNLOOP_RESULT),
        b"/runloop/v1/devboxes": http_response(_RUNLOOP_DEVBOX),
        b"/runloop/v1/devboxes/create_and_await_running": http_response(_RUNLOOP_DEVBOX),
        b"/runloop/v1/devboxes/dbx_1/shutdown": http_response(_RUNLOOP_DEVBOX),
        b"/runloop/v1/devboxes/dbx_1/execute": http_response(_RUNLOOP_RESULT),
        b"/runloop/v1/devboxes/dbx_1/execute_async": http_response(_RUNLOOP_RUNNING),
        b"/runloop/v1/devboxes/dbx_1/executions/exec_1/wait_for_status": http_response(_RUNLOOP_RESULT),
        b"/v2/sandboxes": http_response(_E2B_SANDBOX, status="201 Created"),
        b"/process.Process/Start": http_response(b"".join(frames), "application/connect+json"),
        b"/upload": http_response(b"{}"),
    }
