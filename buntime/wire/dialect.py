"""What the messages of buntime.sh mean to a cassette: ids, fields that vary, secrets, helpers, streams."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Optional, Union

from buntime._http import Request
from buntime._support.json_encoder import json_encoder
from buntime.wire.constants import CALL_MARK, WORKSPACE
from buntime.wire.events import ParsedEvent, read_event
from buntime.wire.fields import iso8601
from buntime.wire.helper_messages import (
    CALLS,
    NUMBERED,
    as_base64,
    as_text,
    helper_of,
    parse_reply,
    with_helper,
)
from buntime.wire.json import json_object
from buntime.wire.local_folders import LocalFolders

Message = Mapping[str, Any]
"""A request in the form of a cassette: ``method``, ``path`` and the body, as ``json`` for instance."""

_CREATE = ("POST", "/sessions/create")
_EXECUTE = ("POST", "/execute")
_WRITE = ("POST", "/files/write")
_FOLDERS = LocalFolders("sessions", {"": WORKSPACE})
_IN_PIECES = frozenset({"file_piece", "file_range", "process_logs", "process_write"})
_DECODED = frozenset({"value", "reply"})
"""The fields of a decoded response that stand for the last line of its output."""
_PING_RESPONSE = (
    b'{"stdout":"{}\\n","stderr":"","exitCode":0,"executionTime":0,"memoryUsed":0,"cpuTime":0,'
    b'"timedOut":false,"filesWritten":[]}'
)
_VERSIONED = re.compile(r"/v[0-9]+/|https?:")
_compact = json_encoder(ensure_ascii=False)


class SessionsDialect:
    """Implements :class:`buntime.cassette.dialect.Dialect`."""

    routes: frozenset[str] = frozenset(
        {_CREATE[1], _EXECUTE[1], _WRITE[1], "/execution/kill", "/files/read", "/files/list"}
    )
    fields: frozenset[str] = frozenset(
        {
            *("activeProcesses", "code", "command", "content", "cpu", "cpuTime", "createdAt", "data"),
            *("deleted", "details", "disk", "env", "error", "executionTime", "exitCode", "expiresAt"),
            *("event", "chunk", "files", "output"),
            *("filesCount", "filesWritten", "killed", "lastActive", "memory", "memoryUsed", "message"),
            *("metadata", "modified", "path", "pid", "pids", "previewUrl", "resourceLimits", "sessionId"),
            *("size", "state", "stderr", "stdout", "stream", "text", "timedOut", "timeout", "ttl", "type"),
            *("workingDir", "helper", "op", "source", "arguments", "value", "reply", "base64"),
        }
    )
    public_fields: frozenset[str] = frozenset()
    stored_headers: tuple[str, ...] = (
        *("Content-Type", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining"),
        *("X-RateLimit-Reset", "X-Request-Id"),
    )
    user_fields: frozenset[str] = frozenset({"metadata", "value"})
    returned_fields: frozenset[str] = frozenset({"value"})
    _volatile = frozenset(
        {
            *("createdAt", "expiresAt", "lastActive", "executionTime", "cpuTime", "memoryUsed", "modified"),
            *("pid", "pids"),
        }
    ).union(stored_headers) - {"Content-Type"}

    def serves(self, path: str) -> bool:
        """Whether a path is one of buntime.sh: those have no version in them, and are not URLs."""
        return _VERSIONED.match(path) is None

    def is_volatile(self, name: str) -> bool:
        """Whether a header or a field of a response varies from run to run."""
        return name in self._volatile

    def settled(self, request: Message, body: Any) -> Any:  # noqa: ARG002 - of the protocol
        """Return the body as it is: each response comes when its execution has ended."""
        return body

    def unrecorded_response(self, request: Request) -> Optional[bytes]:
        """Return the response to a ping, which depends on time; ``None`` for a request that is recorded."""
        body = request.body
        if (request.method, request.path) != _EXECUTE or not isinstance(body, bytes):
            return None
        if body.find(b'"code":"// buntime:helper {') < 0:  # faster than `in`, which first tries a number
            return None
        helper = helper_of((json_object(body) or {}).get("code"))
        return _PING_RESPONSE if helper is not None and helper.get("op") == "ping" else None

    def decode_request(self, request: Message) -> dict[str, Any]:
        """Return a request with a helper's arguments in place of its program.

        The program may differ in another release. The names of the files that carry arguments depend on
        their content and on the order of threads.
        """
        decoded, body, call = {**request}, request.get("json"), (request["method"], request["path"])
        if isinstance(body, dict):
            path = body.get("path")
            if call == _EXECUTE:
                helper = helper_of(body.get("code"))
                decoded["json"] = body if helper is None else with_helper(body, helper)
            elif call == _WRITE and isinstance(path, str):
                decoded["json"] = {**body, "path": NUMBERED.sub(r"\1", path)}
        return decoded

    def decode_response(self, request: Message, body: Any) -> Any:
        """Return the JSON body of a response, with the reply of a helper as a value."""
        op = self._helper(request).get("op")
        has_reply = op not in {None, "run"}  # the output of `run` is that of a program
        text = body.get("stdout") if has_reply and isinstance(body, dict) else None
        if not isinstance(text, str) or not text.endswith("\n") or not _DECODED.isdisjoint(body):
            return body
        if op in CALLS:
            before, mark, line = text.rpartition(CALL_MARK)
            line = line if mark else ""
        else:
            line = text[text.rfind("\n", 0, -1) + 1 :]
            before = text[: -len(line)]
        reply = parse_reply(line)
        if reply is None or (op not in CALLS and "text" in reply):
            return body
        if op in CALLS:
            field = {"value": reply["value"]} if [*reply] == ["value"] else {"reply": reply}
        else:
            field = {"reply": as_text(reply)}
        decoded: dict[str, Any] = {}
        for name, value in body.items():
            decoded.update({"stdout": before, **field} if name == "stdout" else {name: value})
        return decoded

    def encode_response(self, request: Message, body: Any) -> Any:
        """Return the JSON body that :meth:`decode_response` decoded."""
        if not isinstance(body, dict) or _DECODED.isdisjoint(body):
            return body
        op = self._helper(request).get("op")
        if op is None:
            return body
        reply = {"value": body["value"]} if "value" in body else body["reply"]
        line = CALL_MARK + _compact(reply) if op in CALLS else _compact(as_base64(reply))
        encoded = {name: value for name, value in body.items() if name not in _DECODED}
        return {**encoded, "stdout": f"{body.get('stdout', '')}{line}\n"}

    def is_creation(self, request: Message) -> bool:
        """Whether a request creates a session."""
        return (request["method"], request["path"]) == _CREATE

    def new_ids(self, request: Message, body: Any) -> Sequence[tuple[str, str, Optional[str], LocalFolders]]:
        """Return the id of a new session, its preview, and the folders of sessions."""
        inner = body.get("data", body) if self.is_creation(request) and isinstance(body, dict) else None
        if not (isinstance(inner, dict) and isinstance(inner.get("sessionId"), str) and inner["sessionId"]):
            return ()
        preview = inner.get("previewUrl")
        url = preview if isinstance(preview, str) and preview else None
        return (("ses", inner["sessionId"], url, _FOLDERS),)

    def version(self, request: Message, body: Any) -> Optional[tuple[object, str]]:
        """Return a file in a response, and the text in it that changes with each change of the file."""
        reply = body.get("reply") if isinstance(body, dict) else None
        stamp = reply.get("stamp") if isinstance(reply, dict) else None
        if not isinstance(stamp, str) or not stamp:
            return None
        return (request["json"].get("sessionId"), self._helper(request).get("path")), stamp

    def environment(self, request: Message) -> Mapping[str, Any]:
        """Return the environment variables that a request passes to its execution."""
        return self._field_of_execution(request, "env")

    def response_secrets(self, request: Message, body: Any) -> tuple[()]:  # noqa: ARG002 - of the protocol
        """Return nothing: secrets in responses are in fields that are named so."""
        return ()

    def is_pending(self, request: Message, response: Message) -> bool:  # noqa: ARG002 - of the protocol
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
            if isinstance(text, str):
                with suppress(ValueError):
                    dates.append(iso8601(text).timestamp())
        return max(dates) if dates else None

    def _helper(self, request: Message) -> Mapping[str, Any]:
        return self._field_of_execution(request, "helper")

    def _field_of_execution(self, request: Message, name: str) -> Mapping[str, Any]:
        body = request.get("json")
        value = body.get(name) if isinstance(body, dict) else None
        is_execution = (request["method"], request["path"]) == _EXECUTE
        return value if isinstance(value, dict) and is_execution else {}


DIALECT = SessionsDialect()
