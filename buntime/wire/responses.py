"""Each response of the API as a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Optional, cast

import attrs

from buntime import _validate
from buntime._http import BufferedResponse, Headers
from buntime._support.collected_text import bound
from buntime.models import (
    APIResponse,
    ExecuteResult,
    FileInfo,
    KillResult,
    RateLimit,
    ResourceLimits,
    SessionInfo,
    WriteResult,
)
from buntime.wire.constants import HIDDEN_FOLDER, RATE_LIMIT_HEADERS, WORKSPACE
from buntime.wire.fields import Fields, invalid, parse


@attrs.frozen
class CreatedSession:
    """A session as the service created it; a session that is only attached to has just its id."""

    id: str
    created_at: Optional[datetime] = None
    expires_at: Optional[datetime] = None
    preview_url: Optional[str] = None
    resource_limits: Optional[ResourceLimits] = None


def decode_created_session(response: BufferedResponse) -> CreatedSession:
    """Decode the response to :func:`~buntime.wire.requests.create_session`."""
    fields = parse(response, "sessionId")
    limits = Fields(fields.read("resourceLimits", dict) or {}, response)
    return CreatedSession(
        id=_session_id(fields),
        created_at=fields.timestamp("createdAt"),
        expires_at=fields.timestamp("expiresAt"),
        preview_url=fields.read("previewUrl", str),
        resource_limits=ResourceLimits(
            memory=limits.read("memory", int),
            cpu=limits.read("cpu", float),
            timeout=limits.read("timeout", int),
            disk=limits.read("disk", int),
            extra=limits.unknown(),
        ),
    )


def _session_id(fields: Fields) -> str:
    value = fields.require("sessionId", str)
    try:
        return _validate.session_id(value)
    except ValueError:
        raise fields.invalid(f"the field 'sessionId' is {value!r}, which cannot be in a URL") from None


def decode_session_info(response: BufferedResponse) -> SessionInfo:
    """Decode the response to :func:`~buntime.wire.requests.session_info`."""
    fields = parse(response, "sessionId")
    return SessionInfo(
        id=_session_id(fields),
        created_at=fields.timestamp("createdAt"),
        expires_at=fields.timestamp("expiresAt"),
        last_active=fields.timestamp("lastActive"),
        state=cast(Any, fields.read("state", str)),  # an unknown one is passed through
        files_count=fields.read("filesCount", int),
        active_processes=fields.read("activeProcesses", int),
        metadata=fields.read("metadata", dict) or {},
        extra=fields.unknown(),
    )


def check_deleted(response: BufferedResponse) -> None:
    """Check the response to :func:`~buntime.wire.requests.delete_session`; it may be empty."""
    if response.body.strip() and parse(response, "deleted").read("deleted", bool) is False:
        raise invalid(response, "the session was not deleted")


def decode_result(response: BufferedResponse, max_output: int | None = None) -> ExecuteResult:
    """Decode the response to :func:`~buntime.wire.requests.execute`, with bounded output."""
    fields = parse(response, "stdout")
    return make_result(
        fields,
        stdout=bound(fields.require("stdout", str), max_output),
        stderr=bound(fields.require("stderr", str), max_output),
        exit_code=fields.require("exitCode", int),
    )


def make_result(
    fields: Fields, *, stdout: tuple[str, bool], stderr: tuple[str, bool], exit_code: int | None
) -> ExecuteResult:
    """Return a result of these three values, and of the other fields.

    Each output is its text, and whether it is truncated.
    """
    written = fields.list_of(str, "filesWritten")
    return ExecuteResult(
        stdout=stdout[0],
        stderr=stderr[0],
        exit_code=exit_code,
        execution_time=fields.read("executionTime", float),
        memory_used=fields.read("memoryUsed", int),
        cpu_time=fields.read("cpuTime", float),
        timed_out=fields.read("timedOut", bool),
        files_written=written and tuple(path for path in written if not is_hidden(path)),
        stdout_truncated=stdout[1],
        stderr_truncated=stderr[1],
        extra=fields.unknown(),
    )


def decode_killed(response: BufferedResponse) -> KillResult:
    """Decode the response to :func:`~buntime.wire.requests.kill`."""
    fields = parse(response, "killed")
    return KillResult(
        killed=fields.require("killed", int),
        pids=fields.list_of(int, "pids") or (),
        extra=fields.unknown(),
    )


def decode_written(response: BufferedResponse) -> WriteResult:
    """Decode the response to :func:`~buntime.wire.requests.write_file`."""
    fields = parse(response, "path")
    return WriteResult(
        path=fields.require("path", str),
        size=fields.require("size", int),
        extra=fields.unknown(),
    )


def decode_files(response: BufferedResponse) -> Sequence[FileInfo]:
    """Decode a page of :func:`~buntime.wire.requests.list_files`, our hidden folder included."""
    fields = parse(response, "files")
    items = fields.list_of(dict, "files")
    if items is None:
        raise invalid(response, "the field 'files' is missing")
    return [_decode_file(Fields(item, response)) for item in items]


def _decode_file(fields: Fields) -> FileInfo:
    return FileInfo(
        path=fields.require("path", str),
        size=fields.read("size", int) or 0,
        modified=fields.timestamp("modified"),
        type=cast(Any, fields.require("type", str)),  # an unknown one is passed through
        extra=fields.unknown(),
    )


def decode_content(response: BufferedResponse, path: str) -> str:
    """Decode the response to a read of ``path``: an object with ``content``, or the text itself."""
    kind = response.headers.get("Content-Type", "").lower()
    if not kind and not response.body:
        raise invalid(response, "it has neither content nor a Content-Type")
    if "json" in kind and not (path.endswith(".json") and _is_file_itself(response)):
        fields = parse(response, "content")
        return fields.require("content", str)
    if "html" in kind and not path.endswith((".html", ".htm")):
        raise invalid(response, "the body is an HTML page")
    try:
        return response.body.decode()
    except UnicodeDecodeError:
        raise invalid(response, "the body is not UTF-8 text") from None


def _is_file_itself(response: BufferedResponse) -> bool:
    """Whether a JSON body is the content of a .json file, and not an object with the content in it."""
    try:
        body = json.loads(response.body)
    except (ValueError, RecursionError):
        return False
    inner = body.get("data") if isinstance(body, dict) and "content" not in body else body
    return not (isinstance(inner, dict) and isinstance(inner.get("content"), str))


def decode_any(response: BufferedResponse) -> APIResponse:
    """Return any response unchanged."""
    return APIResponse(response.status or 0, response.headers, response.body)


def request_id(headers: Headers) -> str | None:
    """Return the id that the service gave a request."""
    return headers.get("X-Request-Id")


def rate_limit(headers: Headers) -> RateLimit | None:
    """Return the rate limit in the headers of a response; ``None`` if there is none."""
    if not headers.has_any(RATE_LIMIT_HEADERS):
        return None
    return RateLimit(*(_int(headers.get(name)) for name in RATE_LIMIT_HEADERS))


def _int(value: str | None) -> int | None:
    try:
        return None if value is None else int(float(value))
    except (ValueError, OverflowError):
        return None


def is_hidden(path: str) -> bool:
    """Whether a path of the workspace belongs to our helpers."""
    return relative(path).split("/", 1)[0] == HIDDEN_FOLDER


def relative(path: str) -> str:
    """Return a path of the workspace as relative to it; ``""`` for the workspace itself."""
    prefix = f"{WORKSPACE}/"
    inside = f"{path}/".replace(prefix, "", 1) if f"{path}/".startswith(prefix) else path
    return "/".join(part for part in inside.split("/") if part not in {"", "."})
