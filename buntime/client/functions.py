"""Calling a JavaScript function like a Python one."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Optional

import attrs

from buntime import _validate
from buntime._support.collected_text import bound
from buntime._support.log import logger
from buntime._support.typing import OnText
from buntime.client.context import Context
from buntime.client.files import SessionFiles
from buntime.client.replies import PrintedOutput, ReplySeparator, decode_value, javascript_error, parse_reply
from buntime.errors import BuntimeError, ExecutionFailedError, InvalidResponseError
from buntime.helpers import js_values
from buntime.helpers.runner import error_of, source
from buntime.helpers.unique_names import reserve_unique_name
from buntime.models import ExecuteRequest, ExecuteResult, MaxOutput
from buntime.wire.constants import HIDDEN_FOLDER, WORKSPACE

_LONGEST_LINE = 16 * 1024
_PIECE = 4 * 1024 * 1024
_MAX_ATTEMPTS = 5
_FILE = re.compile(r"[\w./ -]+\.[cm]?[jt]sx?(#[\w$]*)?")
_STORED = re.compile(rf"{re.escape(HIDDEN_FOLDER)}/results/[0-9a-f]{{32}}\.[0-9]{{1,9}}")
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
        max_output: MaxOutput,
        env: Optional[Mapping[str, str]] = None,
    ) -> Any:
        """See :meth:`Session.call <buntime.Session.call>`; ``env`` is the environment of the function."""
        request = ExecuteRequest(
            "",
            session_id=session_id,
            env=env,
            timeout=timeout,
            idempotent=idempotent,
            max_output=max_output,
        )
        payload = call_payload(function, arguments)
        with self._context.caller.one_deadline():
            result, reply = self.run("call", request, payload, session_limit, on_stdout, on_stderr)
            return self.value(session_id, reply, result)

    def run(
        self,
        op: str,
        request: ExecuteRequest,
        payload: dict[str, Any],
        session_limit: int | None,
        on_stdout: OnText | None,
        on_stderr: OnText | None,
        **arguments: Any,
    ) -> tuple[ExecuteResult, dict[str, Any]]:
        """Run the helper ``op`` with a payload of any size; return its result without the reply, and that."""
        text = json.dumps(payload)
        with _payload_file(str(request.session_id), text) as name:
            # An identical call of another process may have consumed the file; the function has not run then.
            for _ in range(_MAX_ATTEMPTS):
                request = self._with_payload(op, request, text, name, arguments)
                result, reply = self._run(request, session_limit, on_stdout, on_stderr)
                if "error" in reply:
                    raise error_of(op, payload.get("file"), reply["error"])
                if "gone" not in reply:
                    return result, reply
        raise InvalidResponseError("the session did not have the arguments of the call")

    def _with_payload(
        self, op: str, request: ExecuteRequest, payload: str, name: str, arguments: dict[str, Any]
    ) -> ExecuteRequest:
        """Return the request with the payload: in its code, in a file of it, or in files written before."""
        if not name:
            return attrs.evolve(request, code=source(op, **arguments, payload=payload))
        pieces = {
            f"{name}.{start // _PIECE}": payload[start : start + _PIECE]
            for start in range(0, len(payload), _PIECE)
        }
        code = source(op, **arguments, files=list(pieces))
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
        executions = self._context.executions
        most = executions.max_output(request)
        separator = ReplySeparator()
        if on_stdout is None and on_stderr is None:
            # The reply is in the output, so the output is bounded after it was separated.
            result = executions.run(attrs.evolve(request, max_output=None), session_limit)
            out = bound(separator.feed(result.stdout) + separator.pending(), most)
            err = bound(result.stderr, most)
            result = attrs.evolve(
                result, stdout=out[0], stderr=err[0], stdout_truncated=out[1], stderr_truncated=err[1]
            )
        else:
            printed = PrintedOutput(separator, on_stdout, most)
            result = executions.watch(request, session_limit, on_stdout=printed.add, on_stderr=on_stderr)
            printed.end(result)
            result = attrs.evolve(
                result, stdout=printed.collected.text(), stdout_truncated=printed.collected.truncated
            )
        if separator.reply is not None:
            return result, parse_reply(separator.reply)
        result.check()
        raise ExecutionFailedError("the process ended before the function returned", result=result)

    def value(self, session_id: str, reply: dict[str, Any], result: ExecuteResult) -> Any:
        """Return the value in a reply, or raise its error."""
        if "json" in reply:
            return decode_value(reply["json"], result)
        if "stored" in reply:
            path = reply["stored"]
            # The reply is output of the program, which may name any file.
            if not isinstance(path, str) or not _STORED.fullmatch(path):
                raise InvalidResponseError(
                    f"invalid reply of a call: `stored` is {path!r:.200}, not a file that a call writes"
                )
            text = SessionFiles(self._context, session_id).read(path)
            try:
                self._context.helpers.delete_file(session_id, path)
            except BuntimeError as error:
                logger().warning("%s was not deleted from session %s: %s", path, session_id, error)
            return decode_value(text, result)
        if isinstance(reply.get("thrown"), dict):
            raise javascript_error(reply["thrown"], result)
        if "exit" in reply:
            message = f"the function called process.exit({reply['exit']}) instead of returning"
            raise ExecutionFailedError(message, result=result)
        if "unresolved" in reply:
            message = "the function's promise was never resolved, and nothing remained that could resolve it"
            raise ExecutionFailedError(message, result=result)
        raise InvalidResponseError(f"the reply of a call has an unknown form: {reply!r:.200}")


def _payload_file(session_id: str, payload: str) -> AbstractContextManager[str]:
    """Return the name of the file for a payload; ``""`` if it is short enough for the code."""
    if len(payload) <= _LONGEST_LINE:
        return nullcontext("")
    digest = hashlib.sha256(payload.encode()).hexdigest()[:32]
    return reserve_unique_name(session_id, f"{HIDDEN_FOLDER}/calls/{digest}")


def call_payload(function: str, arguments: tuple[Any, ...]) -> dict[str, Any]:
    """Return the function to call and its arguments, as JSON values."""
    return {**callee(function), "arguments": js_values.encode_arguments(arguments)}


def callee(function: str) -> dict[str, str]:
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
