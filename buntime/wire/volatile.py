"""What a cassette has to know of the API: what is an id, what varies from run to run, what is output."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Optional

from buntime.wire.json import json_object

CREATE = ("POST", "/sessions/create")
EXECUTE = ("POST", "/execute")
WRITE = ("POST", "/files/write")
_HELPER = "// buntime:helper "
_NUMBERED = re.compile(r"(\.buntime/(?:staged|calls)/[0-9a-f]{32})~[0-9]+")
_CARRIED = re.compile(r"(\.buntime/(?:staged|calls)/)[0-9a-f]{32}")
_IN_PIECES = frozenset({"file_piece", "file_range", "process_logs"})
_PING_ANSWER = {
    "stdout": "{}\n",
    "stderr": "",
    "exitCode": 0,
    "executionTime": 0,
    "memoryUsed": 0,
    "cpuTime": 0,
    "timedOut": False,
    "filesWritten": [],
}
"""The answer to a keep-awake ping that reaches no service."""

FIELDS = frozenset(
    {
        *("activeProcesses", "code", "command", "content", "cpu", "cpuTime", "createdAt", "data", "deleted"),
        *("details", "disk", "env", "error", "executionTime", "exitCode", "expiresAt", "files", "filesCount"),
        *("filesWritten", "killed", "lastActive", "memory", "memoryUsed", "message", "metadata", "modified"),
        *("path", "pid", "pids", "previewUrl", "resourceLimits", "sessionId", "size", "state", "stderr"),
        *("stdout", "stream", "text", "timedOut", "timeout", "ttl", "type", "workingDir"),
    }
)
"""The names of the API, which are no secret even where somebody's secret is the same word."""

STORED_HEADERS = (
    "Content-Type",
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Request-Id",
)
"""The headers of an answer that mean something to the client."""
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
    """Return the id and the preview URL that an answer invents; ``None`` for what it does not."""
    if (method, path) != CREATE or not isinstance(body, dict):
        return None, None
    inner = body.get("data", body)
    if not isinstance(inner, dict):
        return None, None
    found = [inner.get(name) for name in ("sessionId", "previewUrl")]
    session_id, preview = (value if isinstance(value, str) and value else None for value in found)
    return session_id, preview


def session_named(path: str, query: Mapping[str, str], body: Any) -> Optional[str]:
    """Return the session that a call names, in its body, its query or its path."""
    fields = body if isinstance(body, dict) else query
    named = fields.get("sessionId")
    if isinstance(named, str):
        return named
    _, _, last = path.rpartition("/sessions/")
    return last if last and last != "create" and last != path else None


def environment(method: str, path: str, body: Any) -> Mapping[str, Any]:
    """Return the environment variables that a request passes to its execution."""
    env = body.get("env") if (method, path) == EXECUTE and isinstance(body, dict) else None
    return env if isinstance(env, dict) else {}


def without_program(method: str, path: str, body: Any) -> Any:
    """Return a request's body without what is the library's own affair.

    Of a helper's code its first line is left, which says it all: the rest is a program that another release
    may have otherwise. The files that helpers hand over lose the numbers by which calls that are under
    way at once tell theirs apart, as these change with the order of threads.
    """
    if not isinstance(body, dict):
        return body
    found = dict(body)
    code = _helper_code(method, path, body)
    if code is not None:
        found["code"] = _unnumbered(code.partition("\n")[0])
        if isinstance(body.get("files"), list):
            found["files"] = [_unnumbered_file(file) for file in body["files"]]
    elif (method, path) == WRITE:
        found = _unnumbered_file(body)
    return found


def _unnumbered(text: str) -> str:
    return _NUMBERED.sub(r"\1", text)


def _unnumbered_file(file: Any) -> Any:
    named = isinstance(file, dict) and isinstance(file.get("path"), str)
    return {**file, "path": _unnumbered(file["path"])} if named else file


def _helper_code(method: str, path: str, body: Any) -> Optional[str]:
    code = body.get("code") if (method, path) == EXECUTE and isinstance(body, dict) else None
    return code if isinstance(code, str) and code.startswith(_HELPER) else None


def is_ping(method: str, path: str, body: Optional[bytes]) -> bool:
    """Whether a request does nothing but keep a session awake."""
    if (method, path) != EXECUTE or not body or b'"code":"// buntime:helper {' not in body:
        return False
    arguments = helper_arguments(method, path, json_object(body))
    return arguments is not None and arguments.get("op") == "ping"


def ping_answer() -> bytes:
    """Return what a session answers to a keep-awake ping."""
    return json.dumps(_PING_ANSWER, separators=(",", ":")).encode()


def steady(body: Any, *, helper: bool) -> Any:
    """Return the body of an answer with only the type of what varies from run to run.

    ``helper`` says that it answers a helper, whose output has fields of its own.
    """
    if isinstance(body, list):
        return [steady(item, helper=helper) for item in body]
    if not isinstance(body, dict):
        return body
    return {name: _steady_field(name, value, helper) for name, value in body.items()}


def _steady_field(name: str, value: Any, helper: bool) -> Any:
    if name in _USERS_OWN:
        return value
    if name in _VOLATILE:
        return ["varies", _kind(value)]
    if helper and name == "stdout" and isinstance(value, str):
        return _steady_output(value)
    return steady(value, helper=helper)


def _steady_output(text: str) -> Any:
    before, _, last = text.rstrip().rpartition("\n")
    found = json_object(last)
    return text if found is None else [before, steady(found, helper=False)]


def with_figures(old: Any, new: Any) -> Any:
    """Return ``new`` with what varies from run to run as it is in ``old``, where both have it."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {name: _figure(name, old[name], new[name]) if name in old else new[name] for name in new}
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [with_figures(before, after) for before, after in zip(old, new)]
    return new


def _figure(name: str, old: Any, new: Any) -> Any:
    if name in _USERS_OWN:
        return new
    if name in _VOLATILE:
        return old if _kind(old) == _kind(new) else new
    return with_figures(old, new)


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
    """Return what a request that calls a function passes to it; ``None`` where it calls none."""
    helper = helper_arguments(method, path, body)
    if helper is None or helper.get("op") != "call":
        return None
    pieces = [one.get("content") for one in body.get("files") or () if isinstance(one, dict)]
    payload = helper.get("payload", "".join(piece for piece in pieces if isinstance(piece, str)))
    return (json_object(payload) or {}).get("arguments") if isinstance(payload, str) else None


def is_of_pieces(method: str, path: str, body: Any) -> bool:
    """Whether a request sends or asks for a piece of something longer."""
    helper = helper_arguments(method, path, body)
    return helper is not None and helper.get("op") in _IN_PIECES


def opened(method: str, path: str, body: Any) -> Any:
    """Return a request's body for a reader: of a helper its arguments, and what it carries as text.

    The names of files that it carries are hashes of their content, and left out.
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
    """Return the value by which a helper's answer tells one state of a file from another."""
    stdout = body.get("stdout") if isinstance(body, dict) else None
    if not isinstance(stdout, str):
        return None
    found = (json_object(stdout.rstrip().rpartition("\n")[2]) or {}).get("stamp")
    return found if isinstance(found, str) and found else None
