"""Each answer of the API as a model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Callable, Optional

import attrs

from buntime._http import Headers
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
from buntime.wire.buffered import RATE_LIMIT_HEADERS, BufferedResponse, tells_rate_limit
from buntime.wire.fields import Fields, invalid, parse

HIDDEN_FOLDER = ".buntime"
"""Where our helpers keep their state, below the workspace."""

_WORKSPACE = "/workspace"


@attrs.frozen
class CreatedSession:
    """What creating a session answers; of a session that is only attached to, the id alone."""

    id: str
    created_at: Optional[datetime] = None
    expires_at: Optional[datetime] = None
    preview_url: Optional[str] = None
    resource_limits: Optional[ResourceLimits] = None


def created_session(answer: BufferedResponse) -> CreatedSession:
    """Decode the answer to :func:`create_session`."""
    fields = parse(answer, "sessionId")
    limits = Fields(fields.object("resourceLimits") or {}, answer)
    return CreatedSession(
        id=fields.need("sessionId", fields.text),
        created_at=fields.when("createdAt"),
        expires_at=fields.when("expiresAt"),
        preview_url=fields.text("previewUrl"),
        resource_limits=ResourceLimits(
            memory=limits.whole("memory"),
            cpu=limits.number("cpu"),
            timeout=limits.whole("timeout"),
            disk=limits.whole("disk"),
            extra=limits.rest(),
        ),
    )


def decode_session_info(answer: BufferedResponse) -> SessionInfo:
    """Decode the answer to :func:`session_info`."""
    fields = parse(answer, "sessionId")
    return SessionInfo(
        id=fields.need("sessionId", fields.text),
        created_at=fields.when("createdAt"),
        expires_at=fields.when("expiresAt"),
        last_active=fields.when("lastActive"),
        state=fields.text("state"),
        files_count=fields.whole("filesCount"),
        active_processes=fields.whole("activeProcesses"),
        metadata=fields.object("metadata") or {},
        extra=fields.rest(),
    )


def deleted(answer: BufferedResponse) -> None:
    """Decode the answer to :func:`delete_session`: an empty body is enough, ``deleted: false`` is not."""
    if not answer.body.strip():
        return
    if parse(answer, "deleted").flag("deleted") is False:
        raise invalid(answer, "it says that the session was not deleted")


def result(answer: BufferedResponse) -> ExecuteResult:
    """Decode the answer to :func:`execute`."""
    fields = parse(answer, "stdout")
    return result_of(
        fields,
        stdout=fields.need("stdout", fields.text),
        stderr=fields.need("stderr", fields.text),
        exit_code=fields.need("exitCode", fields.whole),
    )


def result_of(fields: Fields, *, stdout: str, stderr: str, exit_code: int | None) -> ExecuteResult:
    """Return a result with its three certain fields and whatever else ``fields`` hold."""
    written = fields.strings("filesWritten")
    return ExecuteResult(
        stdout=stdout,
        stderr=stderr,
        exit_code=exit_code,
        execution_time=fields.number("executionTime"),
        memory_used=fields.whole("memoryUsed"),
        cpu_time=fields.number("cpuTime"),
        timed_out=fields.flag("timedOut"),
        files_written=None if written is None else tuple(path for path in written if not is_hidden(path)),
        extra=fields.rest(),
    )


def killed(answer: BufferedResponse) -> KillResult:
    """Decode the answer to :func:`kill`."""
    fields = parse(answer, "killed")
    return KillResult(
        killed=fields.need("killed", fields.whole), pids=fields.wholes("pids") or (), extra=fields.rest()
    )


def written(answer: BufferedResponse) -> WriteResult:
    """Decode the answer to :func:`write_file`."""
    fields = parse(answer, "path")
    return WriteResult(
        path=fields.need("path", fields.text), size=fields.need("size", fields.whole), extra=fields.rest()
    )


def listed(answer: BufferedResponse) -> Sequence[FileInfo]:
    """Decode one page of :func:`list_files`, our hidden folder included."""
    fields = parse(answer, "files")
    return [_file_info(Fields(item, answer)) for item in fields.need("files", fields.objects)]


def _file_info(fields: Fields) -> FileInfo:
    return FileInfo(
        path=fields.need("path", fields.text),
        size=fields.whole("size") or 0,
        modified=fields.when("modified"),
        type=fields.need("type", fields.text),
        extra=fields.rest(),
    )


def file_content(path: str) -> Callable[[BufferedResponse], str]:
    """Return the decoder of the answer to a read: an object with ``content``, or the bare text."""

    def decode(answer: BufferedResponse) -> str:
        kind = answer.headers.get("Content-Type", "").lower()
        if "json" in kind and not (path.endswith(".json") and not _has_content(answer)):
            fields = parse(answer, "content")
            return fields.need("content", fields.text)
        if "html" in kind and not path.endswith((".html", ".htm")):
            raise invalid(answer, "it is an HTML page")
        try:
            return answer.body.decode()
        except UnicodeDecodeError:
            raise invalid(answer, "it is not UTF-8 text") from None

    return decode


def _has_content(answer: BufferedResponse) -> bool:
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return True
    inner = body.get("data") if isinstance(body, dict) and "content" not in body else body
    return isinstance(inner, dict) and isinstance(inner.get("content"), str)


def api_response(answer: BufferedResponse) -> APIResponse:
    """Return any answer as it is."""
    return APIResponse(answer.status or 0, answer.headers, answer.body)


def rate_limit(headers: Headers) -> RateLimit | None:
    """Return the rate-limit headers of an answer, or ``None`` where there are none."""
    if not tells_rate_limit(headers):
        return None
    return RateLimit(*(_int(headers.get(name)) for name in RATE_LIMIT_HEADERS))


def _int(value: str | None) -> int | None:
    try:
        return None if value is None else int(float(value))
    except (ValueError, OverflowError):
        return None


def is_hidden(path: str) -> bool:
    """Whether a path of the workspace is our helpers' own."""
    return relative(path).split("/", 1)[0] == HIDDEN_FOLDER


def relative(path: str) -> str:
    """Return a path of the workspace as relative to it, the workspace itself as ``""``."""
    inside = f"{path}/".replace(f"{_WORKSPACE}/", "", 1) if f"{path}/".startswith(f"{_WORKSPACE}/") else path
    return "/".join(part for part in inside.split("/") if part not in {"", "."})
