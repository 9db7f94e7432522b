"""Each call of the API as a request: paths, field names, headers."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from buntime import _validate
from buntime._http import Pairs, Request
from buntime.models import ExecuteRequest, ResourceLimits
from buntime.wire import json

PAGE = 100
"""The longest page that the API returns."""

EXECUTION_LIMIT = 300
"""Seconds that an execution may take at most, on the plans with published limits."""

_JSON_HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json"))
_STREAM_HEADERS = (("Content-Type", "application/json"), ("Accept", "text/event-stream"))
_READ_HEADERS = (("Accept", "application/json"),)


def _post(path: str, body: Mapping[str, Any], *, headers: Pairs = _JSON_HEADERS) -> Request:
    return Request("POST", path, headers=headers, body=json.json_body("the request", body))


def _get(route: str, /, **query: Any) -> Request:
    pairs = tuple((name, str(value)) for name, value in query.items() if value is not None)
    return Request("GET", route, query=pairs, headers=_READ_HEADERS)


def _without_none(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def create_session(
    ttl: int | None, metadata: Mapping[str, Any] | None, limits: ResourceLimits | None, idempotency_key: str
) -> Request:
    """``POST /sessions/create``."""
    resources = limits and _without_none(memory=limits.memory, cpu=limits.cpu, timeout=limits.timeout)
    body = _without_none(ttl=ttl, metadata=metadata, resourceLimits=resources)
    return _post("/sessions/create", body, headers=(*_JSON_HEADERS, ("Idempotency-Key", idempotency_key)))


def session_info(session_id: str) -> Request:
    """``GET /sessions/{sessionId}``."""
    return _get(_session_path(session_id))


def delete_session(session_id: str) -> Request:
    """``DELETE /sessions/{sessionId}``."""
    return Request("DELETE", _session_path(session_id), headers=_READ_HEADERS)


def _session_path(session_id: str) -> str:
    return f"/sessions/{quote(session_id, safe='')}"


def execute(request: ExecuteRequest, *, stream: bool = False) -> Request:
    """``POST /execute``; its files in the order of their paths, which is the same in each run."""
    fields = _without_none(
        sessionId=request.session_id,
        code=request.code,
        command=request.command,
        env=request.env,
        timeout=request.timeout,
        workingDir=request.working_dir,
        stream=stream or None,
    )
    body = json.json_body("the request", fields)
    if request.files:
        parts = [body[:-1], b',"files":[']
        for path, content in sorted(request.files, key=itemgetter(0)):
            parts += [b'{"path":', json.json_text("the path of a file", path)]
            parts += [b',"content":', json.json_text(f"the file {path!r}", content), b"},"]
        body = b"".join([*parts[:-1], b"}]}"])
    headers = _STREAM_HEADERS if stream else _JSON_HEADERS
    return Request("POST", "/execute", (), headers, body)


def kill(session_id: str, pid: int | None) -> Request:
    """``POST /execution/kill``; without a pid it kills everything in the session."""
    return _post("/execution/kill", _without_none(sessionId=session_id, pid=pid))


def write_file(session_id: str, path: str, content: str) -> Request:
    """``POST /files/write``."""
    return _post("/files/write", {"sessionId": session_id, "path": path, "content": content})


def read_file(session_id: str, path: str) -> Request:
    """``GET /files/read``. The API documents no such route; its name is our guess."""
    return _get("/files/read", sessionId=session_id, path=path)


def list_files(session_id: str, path: str, offset: int) -> Request:
    """``GET /files/list``, one page of it."""
    return _get("/files/list", sessionId=session_id, path=path or None, limit=PAGE, offset=offset)


def custom(method: str, path: str, body: Any, params: Mapping[str, Any] | None) -> Request:
    """Any other call. ``TypeError`` or ``ValueError`` for an argument that cannot be sent."""
    method = _validate.text("method", method).upper()
    if not method.isalpha():
        raise ValueError(f"method is {method!r}, which is not the name of an HTTP method")
    if not _validate.text("path", path).startswith("/") or set(path) & set("?#\r\n\0 "):
        raise ValueError(
            f"path is {path!r}; it must start with '/' and have no query (use params=) and no space"
        )
    if params is not None and not isinstance(params, Mapping):
        raise TypeError(f"params must be a mapping of names to values, not {type(params).__name__}")
    query = tuple(
        (name, text) for name, value in (params or {}).items() for text in _texts(f"params[{name!r}]", value)
    )
    if body is None:
        return Request(method, path, query=query, headers=_READ_HEADERS)
    return Request(method, path, query=query, headers=_JSON_HEADERS, body=json.json_body("json", body))


def _texts(name: str, value: Any) -> list[str]:
    """Return the values of one parameter, as requests sends them but for bools, which JSON writes so."""
    if isinstance(value, (Mapping, set, frozenset)):
        raise TypeError(f"{name} must be a value or a list of values, not {type(value).__name__}")
    if isinstance(value, (list, tuple)):
        return [text for item in value for text in _texts(name, item)]
    if value is None:
        return []
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [value.decode() if isinstance(value, bytes) else str(value)]
