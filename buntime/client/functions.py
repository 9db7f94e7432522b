"""Calling a JavaScript function like a Python one."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Optional

import attrs

from buntime import _validate
from buntime._support.log import logger
from buntime.calls.executions import OnText
from buntime.client.context import Context
from buntime.client.files import SessionFiles
from buntime.errors import BuntimeError, ExecutionFailedError, InvalidResponseError, JavaScriptError
from buntime.helpers import js_values
from buntime.helpers.runner import error_of, source
from buntime.helpers.unique_names import reserve_unique_name
from buntime.models import ExecuteRequest, ExecuteResult
from buntime.wire.constants import HIDDEN_FOLDER, WORKSPACE
from buntime.wire.json import json_object

_LONGEST_LINE = 16 * 1024
_PIECE = 4 * 1024 * 1024
_MAX_ATTEMPTS = 5
_MARK = "\x1ebuntime:call "
_FILE = re.compile(r"[\w./ -]+\.[cm]?[jt]sx?(#[\w$]*)?")
_EXPORT = re.compile(r"[\w$]+")


class Functions:
    """Calls functions in sessions.

    The program ``programs/call.js`` prints its reply as a record marked by the character RS. It may be
    anywhere in the output of the function, and is removed from it.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def call(
        self,
        session_id: str,
        function: str,
        arguments: tuple[Any, ...],
        *,
        timeout: int | None,
        session_limit: int | None,
        idempotent: bool,
        on_stdout: OnText | None,
        on_stderr: OnText | None,
    ) -> Any:
        """See :meth:`Session.call <buntime.Session.call>`."""
        callee = _callee(function)
        payload = json.dumps({**callee, "arguments": js_values.encode_arguments(arguments)})
        request = ExecuteRequest("", session_id=session_id, timeout=timeout, idempotent=idempotent)
        with self._context.caller.one_deadline(), _payload_file(session_id, payload) as name:
            # An identical call of another process may have consumed the file; the function has not run then.
            for _ in range(_MAX_ATTEMPTS):
                request = self._with_payload(request, payload, name)
                result, reply = self._run(request, session_limit, on_stdout, on_stderr)
                if "error" in reply:
                    raise error_of("call", callee.get("file"), reply["error"])
                if "gone" not in reply:
                    return self._value(session_id, reply, result)
        raise InvalidResponseError("the session did not have the arguments of the call")

    def _with_payload(self, request: ExecuteRequest, payload: str, name: str) -> ExecuteRequest:
        """Return the request with the payload: in its code, in a file of it, or in files written before."""
        if not name:
            return attrs.evolve(request, code=source("call", payload=payload))
        pieces = {
            f"{name}.{start // _PIECE}": payload[start : start + _PIECE]
            for start in range(0, len(payload), _PIECE)
        }
        code = source("call", files=list(pieces))
        if len(pieces) == 1:
            return attrs.evolve(request, code=code, files=tuple(pieces.items()))
        for path, content in pieces.items():
            self._context.files.write(str(request.session_id), path, content)
        return attrs.evolve(request, code=code)

    def _run(
        self,
        request: ExecuteRequest,
        session_limit: int | None,
        on_stdout: OnText | None,
        on_stderr: OnText | None,
    ) -> tuple[ExecuteResult, dict[str, Any]]:
        """Return the result, its stdout without the reply, and the reply."""
        watching = _Separator(on_stdout)
        result = self._context.executions.watch(
            request, session_limit, on_stdout=watching.on_text, on_stderr=on_stderr
        )
        if on_stdout is not None and watching.pending:
            on_stdout(watching.pending)
        separator = _Separator()
        stdout = separator.feed(result.stdout) + separator.pending
        result = attrs.evolve(result, stdout=stdout)
        if separator.replies:
            return result, _parse_reply(separator.replies[-1])
        result.check()
        raise ExecutionFailedError("the process ended before the function returned", result=result)

    def _value(self, session_id: str, reply: dict[str, Any], result: ExecuteResult) -> Any:
        if "json" in reply:
            return _decoded(reply["json"], result)
        if "stored" in reply:
            path = str(reply["stored"])
            text = SessionFiles(self._context, session_id).read(path)
            try:
                self._context.helpers.delete_file(session_id, path)
            except BuntimeError as error:
                logger().warning("%s was not deleted from session %s: %s", path, session_id, error)
            return _decoded(text, result)
        if isinstance(reply.get("thrown"), dict):
            raise _javascript_error(reply["thrown"], result)
        if "exit" in reply:
            message = f"the function called process.exit({reply['exit']}) instead of returning"
            raise ExecutionFailedError(message, result=result)
        if "unresolved" in reply:
            message = "the function's promise was never resolved, and nothing remained that could resolve it"
            raise ExecutionFailedError(message, result=result)
        raise InvalidResponseError(f"the reply of a call has an unknown form: {reply!r:.200}")


class _Separator:
    """Removes the replies from the text of stdout, which arrives in pieces of any size."""

    def __init__(self, on_stdout: Optional[OnText] = None) -> None:
        if on_stdout is not None and not callable(on_stdout):
            raise TypeError(f"on_stdout must be callable with a str, not {type(on_stdout).__name__}")
        self._on_stdout = on_stdout
        self.pending = ""
        """The end of the text so far, which may be the start of a reply."""
        self.replies: list[str] = []

    @property
    def on_text(self) -> Optional[OnText]:
        """A callback that passes the text without replies to ``on_stdout``; ``None`` without one."""
        return None if self._on_stdout is None else self._pass_on

    def _pass_on(self, text: str) -> None:
        output = self.feed(text)
        if output and self._on_stdout is not None:
            self._on_stdout(output)

    def feed(self, text: str) -> str:
        """Return the text that is certainly not part of a reply."""
        self.pending += text
        output = []
        while (start := self.pending.find("\x1e")) >= 0:
            output.append(self.pending[:start])
            self.pending = self.pending[start:]
            if not self.pending.startswith(_MARK):
                if _MARK.startswith(self.pending):
                    break
                output.append(self.pending[0])
                self.pending = self.pending[1:]
                continue
            reply, end, rest = self.pending.partition("\n")
            if not end:
                break
            self.replies.append(reply[len(_MARK) :])
            self.pending = rest
        else:
            output.append(self.pending)
            self.pending = ""
        return "".join(output)


def _payload_file(session_id: str, payload: str) -> AbstractContextManager[str]:
    """Return the name of the file for a payload; ``""`` if it is short enough for the code."""
    if len(payload) <= _LONGEST_LINE:
        return nullcontext("")
    digest = hashlib.sha256(payload.encode()).hexdigest()[:32]
    return reserve_unique_name(session_id, f"{HIDDEN_FOLDER}/calls/{digest}")


def _callee(function: str) -> dict[str, str]:
    """Return the function to call: its source, or an export of a file.

    JavaScript never begins with ``./`` or ``/workspace/``, so the two cannot be confused.
    """
    text = _validate.text("function", function).strip()
    if not text:
        raise ValueError("function is empty; pass the source of a function, or './FILE.ts#EXPORT'")
    if text.startswith((".", f"{WORKSPACE}/")):
        path, separator, name = text.rpartition("#")
        if not separator or not _EXPORT.fullmatch(name):
            path, name = text, "default"
        if not path.startswith(("./", f"{WORKSPACE}/")):
            raise ValueError(f"function is {function!r}; a file of the workspace begins with './'")
        return {"file": path, "name": name}
    if _FILE.fullmatch(text):
        raise ValueError(f"function is {function!r}; to call a function of a file, write './{text}'")
    return {"source": function.rstrip().rstrip(";")}


def _parse_reply(text: str) -> dict[str, Any]:
    # A value is decoded from its own text, so that a large one is not parsed twice.
    if text.startswith('{"value":'):
        return {"json": text[len('{"value":') : -1]}
    reply = json_object(text)
    if reply is None:
        raise InvalidResponseError(
            f"the reply of a call is not a JSON object: {text[:200]!r}", body=text[:500].encode()
        )
    return reply


def _decoded(text: str, result: ExecuteResult) -> Any:
    try:
        return js_values.decode(text)
    except js_values.UnfitError as error:
        raise _javascript_error({"name": "TypeError", "message": str(error)}, result) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidResponseError(
            f"the value of a call has an unknown form ({error}): {text[:200]!r}",
            body=text[:500].encode("utf-8", "replace"),
        ) from error


def _javascript_error(fields: dict[str, Any], result: ExecuteResult) -> JavaScriptError:
    return JavaScriptError(
        str(fields.get("message")),
        name=str(fields.get("name")),
        stack=str(fields.get("stack") or ""),
        details=fields.get("details") or {},
        result=result,
    )
