"""What the messages of buntime.sh mean to a cassette: ids, fields that vary, secrets, helpers, streams."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Optional, Union

from buntime._http import Request
from buntime.wire.constants import CALL_MARK, HELPER_BUN_OPTIONS, WORKSPACE
from buntime.wire.events import ParsedEvent, read_event
from buntime.wire.fields import iso8601
from buntime.wire.json import json_object

Message = Mapping[str, Any]
"""A request in the form of a cassette: ``method``, ``path`` and the body, as ``json`` for instance."""

_CREATE = ("POST", "/sessions/create")
_EXECUTE = ("POST", "/execute")
_WRITE = ("POST", "/files/write")
_HELPER_OPTION = ("BUN_OPTIONS", HELPER_BUN_OPTIONS)
_PROGRAM = "// buntime:helper "
_NUMBERED = re.compile(r"(\.buntime/(?:staged|calls)/[0-9a-f]{32})~[0-9]+")
_IN_PIECES = frozenset({"file_piece", "file_range", "process_logs"})
_SIZES = ("length", "limit", "budget")
"""The arguments of helpers that divide a transfer into pieces, of other sizes in another release."""
_DECODED = frozenset({"value", "reply"})
"""The fields of a decoded response that stand for the last line of its output."""
_PING_RESPONSE = (
    b'{"stdout":"{}\\n","stderr":"","exitCode":0,"executionTime":0,"memoryUsed":0,"cpuTime":0,'
    b'"timedOut":false,"filesWritten":[]}'
)
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class SessionsDialect:
    """Implements :class:`buntime.cassette.dialect.Dialect`."""

    routes: frozenset[str] = frozenset(
        {_CREATE[1], _EXECUTE[1], _WRITE[1], "/execution/kill", "/files/read", "/files/list"}
    )
    fields: frozenset[str] = frozenset(
        {
            *("activeProcesses", "code", "command", "content", "cpu", "cpuTime", "createdAt", "data"),
            *(
                "deleted",
                "details",
                "disk",
                "env",
                "error",
                "executionTime",
                "exitCode",
                "expiresAt",
                "files",
            ),
            *("filesCount", "filesWritten", "killed", "lastActive", "memory", "memoryUsed", "message"),
            *("metadata", "modified", "path", "pid", "pids", "previewUrl", "resourceLimits", "sessionId"),
            *("size", "state", "stderr", "stdout", "stream", "text", "timedOut", "timeout", "ttl", "type"),
            *("workingDir", "helper", "op", "source", "arguments", "value", "reply", "base64"),
        }
    )
    stored_headers: tuple[str, ...] = (
        *("Content-Type", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining"),
        *("X-RateLimit-Reset", "X-Request-Id"),
    )
    volatile_headers: frozenset[str] = frozenset(stored_headers) - {"Content-Type"}
    user_fields: frozenset[str] = frozenset({"metadata", "value"})
    _volatile = frozenset(
        {
            *("createdAt", "expiresAt", "lastActive", "executionTime", "cpuTime", "memoryUsed", "modified"),
            *("pid", "pids"),
        }
    )

    def is_volatile(self, name: str) -> bool:
        """Whether a field of a response varies from run to run."""
        return name in self._volatile

    def unrecorded_response(self, request: Request) -> Optional[bytes]:
        """Return the response to a ping, which depends on time; ``None`` for a request that is recorded."""
        body = request.body
        if (request.method, request.path) != _EXECUTE or not isinstance(body, bytes):
            return None
        if b'"code":"// buntime:helper {' not in body:
            return None
        code = (json_object(body) or {}).get("code")
        helper = json_object(code.partition("\n")[0][len(_PROGRAM) :]) if isinstance(code, str) else None
        return _PING_RESPONSE if helper is not None and helper.get("op") == "ping" else None

    def decode_request(self, request: Message) -> Any:
        """Return the JSON body of a request, with a helper's arguments in place of its program.

        The program may differ in another release. The names of the files that carry arguments depend on
        their content and on the order of threads.
        """
        body = request["json"]
        if not isinstance(body, dict):
            return body
        code = body.get("code") if _call(request) == _EXECUTE else None
        if isinstance(code, str) and code.startswith(_PROGRAM):
            helper = json_object(code.partition("\n")[0][len(_PROGRAM) :])
            return body if helper is None else _with_helper(body, helper)
        path = body.get("path")
        if _call(request) == _WRITE and isinstance(path, str):
            return {**body, "path": _NUMBERED.sub(r"\1", path)}
        return body

    def decode_response(self, request: Message, body: Any) -> Any:
        """Return the JSON body of a response, with the reply of a helper as a value."""
        op = self._helper(request).get("op")
        text = body.get("stdout") if op is not None and isinstance(body, dict) else None
        if not isinstance(text, str) or not text.endswith("\n") or not _DECODED.isdisjoint(body):
            return body
        if op == "call":
            before, mark, line = text.rpartition(CALL_MARK)
            line = line if mark else ""
        else:
            line = text[text.rfind("\n", 0, -1) + 1 :]
            before = text[: -len(line)]
        reply = _reply(line)
        if reply is None or (op != "call" and "text" in reply):
            return body
        if op == "call":
            field = {"value": reply["value"]} if [*reply] == ["value"] else {"reply": reply}
        else:
            field = {"reply": _as_text(reply)}
        decoded: dict[str, Any] = {}
        for name, value in body.items():
            decoded.update({"stdout": before, **field} if name == "stdout" else {name: value})
        return decoded

    def encode_response(self, request: Message, body: Any) -> Any:
        """Return the JSON body that :meth:`decode_response` decoded."""
        op = self._helper(request).get("op")
        if op is None or not isinstance(body, dict) or _DECODED.isdisjoint(body):
            return body
        reply = {"value": body["value"]} if "value" in body else body["reply"]
        line = CALL_MARK + _compact(reply) if op == "call" else _compact(_as_base64(reply))
        encoded = {name: value for name, value in body.items() if name not in _DECODED}
        return {**encoded, "stdout": f"{body.get('stdout', '')}{line}\n"}

    def is_creation(self, request: Message) -> bool:
        """Whether a request creates a session."""
        return _call(request) == _CREATE

    def new_ids(
        self, request: Message, body: Any
    ) -> Iterator[tuple[str, str, Optional[str], Mapping[str, str]]]:
        """Yield the id of a new session, its preview, and the path of its folder in a sandbox."""
        inner = body.get("data", body) if isinstance(body, dict) and self.is_creation(request) else None
        if isinstance(inner, dict) and isinstance(inner.get("sessionId"), str) and inner["sessionId"]:
            preview = inner.get("previewUrl")
            url = preview if isinstance(preview, str) and preview else None
            yield "ses", inner["sessionId"], url, {"": WORKSPACE}

    def version(self, request: Message, body: Any) -> Optional[tuple[object, str]]:
        """Return a file in a response, and the text in it that changes with each change of the file."""
        reply = body.get("reply") if isinstance(body, dict) else None
        stamp = reply.get("stamp") if isinstance(reply, dict) else None
        if not isinstance(stamp, str) or not stamp:
            return None
        return (request["json"].get("sessionId"), self._helper(request).get("path")), stamp

    def environment(self, request: Message) -> Mapping[str, Any]:
        """Return the environment variables that a request passes to its execution."""
        body = request.get("json") if _call(request) == _EXECUTE else None
        env = body.get("env") if isinstance(body, dict) else None
        return env if isinstance(env, dict) else {}

    def response_secrets(self, request: Message, body: Any) -> Iterator[tuple[str, str]]:  # noqa: ARG002 - of the protocol
        """Yield nothing: secrets in responses are in fields that are named so."""
        yield from ()

    def is_pending(self, request: Message, body: Any) -> bool:  # noqa: ARG002 - of the protocol
        """Return False: each wait has a response that the client uses."""
        return False

    def is_piece(self, request: Message) -> bool:
        """Whether a request sends or reads a piece of a file or a log."""
        return self._helper(request).get("op") in _IN_PIECES

    def summary(self, request: Message) -> str:
        """Return the first line of the code or the command of an execution, or the operation of a helper."""
        body, helper = request.get("json"), self._helper(request)
        fields: Any = helper or (body if isinstance(body, dict) else {})
        texts = (fields.get(name) for name in ("source", "code", "command", "path", "file"))
        text = next((text for text in texts if isinstance(text, str) and text.strip()), "")
        line = (
            repr(text.strip().splitlines()[0].rstrip()[:60])
            if text and (helper or "code" in fields or "command" in fields)
            else ""
        )
        return " ".join(filter(None, (str(helper.get("op", "")), line)))

    def read_event(self, name: str, data: Union[str, dict[str, Any]]) -> ParsedEvent:
        """Parse an event of a stream, as the client does."""
        return read_event(name, data)

    def date_of(self, body: Any) -> Optional[float]:
        """Return the service's time when it sent a response, in seconds, as far as its fields show it."""
        inner = body.get("data", body) if isinstance(body, dict) else None
        if not isinstance(inner, dict):
            return None
        dates = []
        for text in (inner.get("createdAt"), inner.get("lastActive")):
            with suppress(ValueError):
                dates += [iso8601(text).timestamp()] if isinstance(text, str) else []
        return max(dates, default=None)

    def _helper(self, request: Message) -> Mapping[str, Any]:
        body = request.get("json") if _call(request) == _EXECUTE else None
        helper = body.get("helper") if isinstance(body, dict) else None
        return helper if isinstance(helper, dict) else {}


def _call(request: Message) -> tuple[str, str]:
    return request["method"], request["path"]


def _with_helper(body: Mapping[str, Any], helper: dict[str, Any]) -> dict[str, Any]:
    """Return the body of an execution with its helper decoded, without files that only carry arguments."""
    parts = [file for file in body.get("files") or () if isinstance(file, dict)]
    pairs = [(file.get("path"), file.get("content")) for file in parts]
    files = {path: text for path, text in pairs if isinstance(path, str) and isinstance(text, str)}
    decoded, carried = _decoded_helper(helper, files)
    result: dict[str, Any] = {}
    for name, value in body.items():
        if name == "code":
            result["helper"] = decoded
        elif name == "env" and isinstance(value, dict):
            # Every helper has the option, which is a part of how it is run, like its program.
            rest = {key: item for key, item in value.items() if (key, item) != _HELPER_OPTION}
            result.update({"env": rest} if rest else {})
        elif name != "files" or not carried:
            result[name] = value
        elif files.keys() - carried:
            result[name] = [file for file in parts if file.get("path") not in carried]
    return result


def _decoded_helper(helper: dict[str, Any], files: Mapping[str, str]) -> tuple[dict[str, Any], set[str]]:
    """Return the operation and the arguments of a helper, and the names of the files that carried some."""
    rest = dict(helper)
    if helper.get("op") == "call":
        names = helper.get("files", ())
        carried = set(names) & files.keys() if isinstance(names, list) else set()
        text = helper.get("payload", "".join(files[name] for name in files if name in carried))
        payload = json_object(text) if isinstance(text, str) else None
        if payload is not None:
            for name in ("payload", "files"):
                rest.pop(name, None)
            return {**rest, **payload}, carried
        if isinstance(names, list):
            rest["files"] = [_NUMBERED.sub(r"\1", str(name)) for name in names]
        return rest, set()
    rest = {name: value for name, value in helper.items() if name not in _SIZES}
    staged = rest.get("staged")
    if not isinstance(staged, str) or staged not in files:
        return rest, set()
    del rest["staged"]
    try:
        is_base64 = helper.get("op") == "file_piece"
        content = {"base64": files[staged]} if is_base64 else {"files": json.loads(files[staged])}
    except (ValueError, RecursionError):
        content = {"content": files[staged]}
    return {**rest, **_as_text(content)}, {staged}


def _reply(line: str) -> Optional[dict[str, Any]]:
    """Return the JSON object in a line; ``None`` for anything else."""
    with suppress(ValueError, RecursionError):
        reply = json.loads(line, parse_constant=int)  # a ValueError for NaN, which JSON does not have
        return reply if isinstance(reply, dict) else None
    return None


def _as_text(value: Any) -> Any:
    """Return a value of a helper with bytes that are text as text: ``base64`` becomes ``text``."""
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if not isinstance(value, dict):
        return value
    result: dict[str, Any] = {}
    for name, item in value.items():
        if name == "base64" and isinstance(item, str) and "text" not in value:
            text = _text(item)
            result.update({"base64": item} if text is None else {"text": text})
        elif name == "contents" and isinstance(item, list):
            result[name] = [_as_text({"base64": one}) if isinstance(one, str) else one for one in item]
        else:
            result[name] = _as_text(item)
    return result


def _text(encoded: str) -> Optional[str]:
    try:
        content = base64.b64decode(encoded, validate=True)
        return content.decode() if base64.b64encode(content).decode() == encoded else None
    except ValueError:
        return None


def _as_base64(reply: Any) -> Any:
    """Return a reply of a helper with its texts in base64, as the helper sends them."""
    if not isinstance(reply, dict):
        return reply
    result: dict[str, Any] = {}
    for name, item in reply.items():
        if name == "contents" and isinstance(item, list):
            result[name] = [_as_base64(one)["base64"] if isinstance(one, dict) else one for one in item]
        elif name == "text" and isinstance(item, str):
            result["base64"] = base64.b64encode(item.encode("utf-8", "surrogatepass")).decode()
        else:
            result[name] = item
    return result


DIALECT = SessionsDialect()
