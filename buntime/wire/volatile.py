"""The cassettes' knowledge of the API: which fields are ids, vary from run to run, hold secrets or files."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Optional

from buntime.wire.fields import iso8601
from buntime.wire.json import json_object

CREATE = ("POST", "/sessions/create")
EXECUTE = ("POST", "/execute")
WRITE = ("POST", "/files/write")
ROUTES = frozenset({CREATE[1], EXECUTE[1], WRITE[1], "/execution/kill", "/files/read", "/files/list"})
"""The paths without an id in them, which hold no secret."""
_HELPER = "// buntime:helper "
_NUMBERED = re.compile(r"(\.buntime/(?:staged|calls)/[0-9a-f]{32})~[0-9]+")
_CARRIED = re.compile(r"(\.buntime/(?:staged|calls)/)[0-9a-f]{32}")
_IN_PIECES = frozenset({"file_piece", "file_range", "process_logs"})
_PING_RESPONSE = {
    "stdout": "{}\n",
    "stderr": "",
    "exitCode": 0,
    "executionTime": 0,
    "memoryUsed": 0,
    "cpuTime": 0,
    "timedOut": False,
    "filesWritten": [],
}
"""The response to a keep-awake ping in replay."""

FIELDS = frozenset(
    {
        *("activeProcesses", "code", "command", "content", "cpu", "cpuTime", "createdAt", "data", "deleted"),
        *("details", "disk", "env", "error", "executionTime", "exitCode", "expiresAt", "files", "filesCount"),
        *("filesWritten", "killed", "lastActive", "memory", "memoryUsed", "message", "metadata", "modified"),
        *("path", "pid", "pids", "previewUrl", "resourceLimits", "sessionId", "size", "state", "stderr"),
        *("stdout", "stream", "text", "timedOut", "timeout", "ttl", "type", "workingDir"),
    }
)
"""The names of the API, which are not secret even if a secret is the same word."""

STORED_HEADERS = (
    "Content-Type",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
)
"""The headers of a response that the client reads."""
VOLATILE_HEADERS = frozenset(STORED_HEADERS) - {"Content-Type"}

_VOLATILE = frozenset(
    {
        "createdAt",
        "expiresAt",
        "lastActive",
        "executionTime",
        "cpuTime",
        "memoryUsed",
        "modified",
        "pid",
        "pids",
    }
)
_USERS_OWN = frozenset({"metadata"})


def created(method: str, path: str, body: Any) -> tuple[Optional[str], Optional[str]]:
    """Return the id and the preview URL that a response creates; ``None`` for each that it does not."""
    if (method, path) != CREATE or not isinstance(body, dict):
        return None, None
    inner = body.get("data", body)
    if not isinstance(inner, dict):
        return None, None
    values = [inner.get(name) for name in ("sessionId", "previewUrl")]
    session_id, preview = (value if isinstance(value, str) and value else None for value in values)
    return session_id, preview


def date_of(body: Any) -> Optional[float]:
    """Return the service's time when it sent a response, in seconds, as far as its fields show it."""
    inner = body.get("data", body) if isinstance(body, dict) else None
    if not isinstance(inner, dict):
        return None
    dates = []
    for name in ("createdAt", "lastActive"):
        text = inner.get(name)
        if isinstance(text, str):
            with suppress(ValueError):
                dates.append(iso8601(text).timestamp())
    return max(dates, default=None)


def session_named(path: str, query: Mapping[str, str], body: Any) -> Optional[str]:
    """Return the session id in a request's body, query or path."""
    fields = body if isinstance(body, dict) else query
    session_id = fields.get("sessionId")
    if isinstance(session_id, str):
        return session_id
    _, _, last = path.rpartition("/sessions/")
    return last if last and last != "create" and last != path else None


def environment(method: str, path: str, body: Any) -> Mapping[str, Any]:
    """Return the environment variables that a request passes to its execution."""
    env = body.get("env") if (method, path) == EXECUTE and isinstance(body, dict) else None
    return env if isinstance(env, dict) else {}


def without_program(method: str, path: str, body: Any) -> Any:
    """Return a request's body without the library's own programs.

    Only the first line of a helper's code is kept, which has its arguments: the rest is a program that may
    differ in another release. Files of concurrent helpers have numbers that keep them apart; those are
    removed, as they depend on the order of threads.
    """
    if not isinstance(body, dict):
        return body
    result = dict(body)
    code = _helper_code(method, path, body)
    if code is not None:
        result["code"] = _NUMBERED.sub(r"\1", code.partition("\n")[0])
        if isinstance(body.get("files"), list):
            result["files"] = [_without_number(file) for file in body["files"]]
    elif (method, path) == WRITE:
        result = _without_number(body)
    return result


def _without_number(file: Any) -> Any:
    has_path = isinstance(file, dict) and isinstance(file.get("path"), str)
    return {**file, "path": _NUMBERED.sub(r"\1", file["path"])} if has_path else file


def _helper_code(method: str, path: str, body: Any) -> Optional[str]:
    code = body.get("code") if (method, path) == EXECUTE and isinstance(body, dict) else None
    return code if isinstance(code, str) and code.startswith(_HELPER) else None


def is_ping(method: str, path: str, body: Optional[bytes]) -> bool:
    """Whether a request only keeps a session awake."""
    if (method, path) != EXECUTE or not body or b'"code":"// buntime:helper {' not in body:
        return False
    arguments = helper_arguments(method, path, json_object(body))
    return arguments is not None and arguments.get("op") == "ping"


def ping_response() -> bytes:
    """Return the body of the response to a keep-awake ping."""
    return json.dumps(_PING_RESPONSE, separators=(",", ":")).encode()


def without_volatile_values(body: Any, *, helper: bool) -> Any:
    """Return the body of a response with only the types of the values that vary from run to run.

    ``helper`` is true for the response to a helper, whose output has fields.
    """
    if isinstance(body, list):
        return [without_volatile_values(item, helper=helper) for item in body]
    if not isinstance(body, dict):
        return body
    return {name: _constant_field(name, value, helper) for name, value in body.items()}


def _constant_field(name: str, value: Any, helper: bool) -> Any:
    if name in _USERS_OWN:
        return value
    if name in _VOLATILE:
        return ["varies", _kind(value)]
    if helper and name == "stdout" and isinstance(value, str):
        return _constant_output(value)
    return without_volatile_values(value, helper=helper)


def _constant_output(text: str) -> Any:
    before, _, last = text.rstrip().rpartition("\n")
    fields = json_object(last)
    return text if fields is None else [before, without_volatile_values(fields, helper=False)]


def keep_volatile_values(old: Any, new: Any) -> Any:
    """Return ``new`` with the values of ``old`` that vary from run to run, if both have them."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {name: _kept_field(name, old[name], new[name]) if name in old else new[name] for name in new}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [keep_volatile_values(before, after) for before, after in zip(old, new)]
    return new


def _kept_field(name: str, old: Any, new: Any) -> Any:
    if name in _USERS_OWN:
        return new
    if name in _VOLATILE:
        return old if _kind(old) == _kind(new) else new
    return keep_volatile_values(old, new)


def _kind(value: Any) -> Any:
    if isinstance(value, list):
        return len(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "number"
    return type(value).__name__


def helper_arguments(method: str, path: str, body: Any) -> Optional[dict[str, Any]]:
    """Return the operation and the arguments of a request that runs a helper, else ``None``."""
    code = _helper_code(method, path, body)
    return None if code is None else json_object(code.partition("\n")[0][len(_HELPER) :])


def call_arguments(method: str, path: str, body: Any) -> Any:
    """Return the arguments of a request that calls a function; ``None`` for any other request."""
    helper = helper_arguments(method, path, body)
    if helper is None or helper.get("op") != "call":
        return None
    pieces = [one.get("content") for one in body.get("files") or () if isinstance(one, dict)]
    payload = helper.get("payload", "".join(piece for piece in pieces if isinstance(piece, str)))
    return (json_object(payload) or {}).get("arguments") if isinstance(payload, str) else None


def is_of_pieces(method: str, path: str, body: Any) -> bool:
    """Whether a request sends or reads a piece of a file or a log."""
    helper = helper_arguments(method, path, body)
    return helper is not None and helper.get("op") in _IN_PIECES


def opened(method: str, path: str, body: Any) -> Any:
    """Return a request's body for a reader: a helper's arguments, and its files as text.

    The names of these files are hashes of their content, and left out.
    """
    helper = helper_arguments(method, path, body)
    if helper is None:
        return body
    others = {name: value for name, value in body.items() if name != "code"}
    return _opened({"helper": helper, **others})


def _opened(value: Any) -> Any:
    if isinstance(value, list):
        return [_opened(item) for item in value]
    if isinstance(value, dict):
        return dict(_opened_field(name, item) for name, item in value.items())
    return _CARRIED.sub(r"\1...", value) if isinstance(value, str) else value


def _opened_field(name: str, value: Any) -> tuple[str, Any]:
    try:
        if name in {"payload", "content"} and isinstance(value, str):
            return name, _opened(json.loads(value))
        if name == "base64" and isinstance(value, str):
            return "content", base64.b64decode(value, validate=True).decode()
    except (ValueError, RecursionError):
        return name, value
    return name, _opened(value)


def stamp(body: Any) -> Optional[str]:
    """Return the value in a helper's response that changes with the state of a file."""
    stdout = body.get("stdout") if isinstance(body, dict) else None
    if not isinstance(stdout, str):
        return None
    value = (json_object(stdout.rstrip().rpartition("\n")[2]) or {}).get("stamp")
    return value if isinstance(value, str) and value else None
