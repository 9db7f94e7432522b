"""Calling a JavaScript function as if it were a Python one."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Callable, Optional

import attrs

from buntime import _validate
from buntime._support.log import logger
from buntime.calls.executions import Executions, OnText
from buntime.client.files import Files
from buntime.engine.caller import Caller
from buntime.errors import (
    BuntimeError,
    ExecutionFailedError,
    InvalidResponseError,
    JavaScriptError,
)
from buntime.helpers import js_values
from buntime.helpers.runner import Helpers, error_of, source
from buntime.helpers.unique_names import reserve_unique_name
from buntime.models import ExecuteRequest, ExecuteResult
from buntime.wire.responses import HIDDEN_FOLDER

_LONGEST_LINE = 16 * 1024
_PIECE = 4 * 1024 * 1024
_TRIES = 5
_MARK = "\x1ebuntime:call "
_FILE = re.compile(r"[\w./ -]+\.[cm]?[jt]sx?(#[\w$]*)?")
_EXPORT = re.compile(r"[\w$]+")


class Functions:
    """Calls functions in sessions.

    The program ``programs/call.js`` prints its answer as a record of its own, marked by the character RS,
    wherever it stands in the output of the function, from which it is taken out again.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._executions = Executions(caller)
        self._files = Files(caller)
        self._helpers = Helpers(caller)

    def call(
        self,
        session_id: str,
        function: str,
        arguments: tuple[Any, ...],
        *,
        timeout: int | None,
        limit: int | None,
        idempotent: bool,
        on_stdout: OnText | None,
        on_stderr: OnText | None,
    ) -> Any:
        """See :meth:`Session.call <buntime.Session.call>`."""
        callee = _callee(function)
        payload = json.dumps({**callee, "arguments": js_values.encode_arguments(arguments)})
        request = ExecuteRequest("", session_id=session_id, timeout=timeout, idempotent=idempotent)
        with self._caller.one_deadline(), _file_for(session_id, payload) as name:
            # The same call of another process may have taken the file first; the function has not run then.
            for _ in range(_TRIES):
                request = self._loaded(request, payload, name)
                result, answer = self._run(request, limit, on_stdout, on_stderr)
                if "error" in answer:
                    raise error_of("call", callee.get("file"), answer["error"])
                if "gone" not in answer:
                    return self._value(session_id, answer, result)
        raise InvalidResponseError("the arguments of the call were not found in the session")

    def _loaded(self, request: ExecuteRequest, payload: str, name: str) -> ExecuteRequest:
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
            self._files.write(session_id=str(request.session_id), path=path, content=content)
        return attrs.evolve(request, code=code)

    def _run(
        self,
        request: ExecuteRequest,
        limit: int | None,
        on_stdout: OnText | None,
        on_stderr: OnText | None,
    ) -> tuple[ExecuteResult, dict[str, Any]]:
        """Return the result, its stdout without the answer, and the answer."""
        watching = _Separator()
        result = self._executions.watch(
            request, limit, on_stdout=_without_answer(on_stdout, watching), on_stderr=on_stderr
        )
        if on_stdout is not None and watching.held:
            on_stdout(watching.held)
        separator = _Separator()
        stdout = separator.feed(result.stdout) + separator.held
        result = attrs.evolve(result, stdout=stdout)
        if not separator.answers:
            raise _ended(result)
        return result, _parsed(separator.answers[-1])

    def _value(self, session_id: str, answer: dict[str, Any], result: ExecuteResult) -> Any:
        if "json" in answer:
            return _decoded(answer["json"], result)
        if "stored" in answer:
            path = str(answer["stored"])
            text = self._files.read(session_id=session_id, path=path)
            self._forget(session_id, path)
            return _decoded(text, result)
        raise _error(answer, result)

    def _forget(self, session_id: str, path: str) -> None:
        try:
            self._helpers.run(
                session_id, "file_delete", idempotent=True, path=path, recursive=False, missing_ok=True
            )
        except BuntimeError as error:
            logger().warning("%s stays in session %s: %s", path, session_id, error)


class _Separator:
    """Takes the answer out of the text of stdout, however it is cut."""

    def __init__(self) -> None:
        self.held = ""
        """The end of the text so far, where it may be the beginning of the answer."""
        self.answers: list[str] = []

    def feed(self, text: str) -> str:
        """Return what is not the answer, as soon as that is certain."""
        self.held += text
        shown = []
        while (start := self.held.find("\x1e")) >= 0:
            shown.append(self.held[:start])
            self.held = self.held[start:]
            if not self.held.startswith(_MARK):
                if _MARK.startswith(self.held):
                    break
                shown.append(self.held[0])
                self.held = self.held[1:]
                continue
            answer, end, rest = self.held.partition("\n")
            if not end:
                break
            self.answers.append(answer[len(_MARK) :])
            self.held = rest
        else:
            shown.append(self.held)
            self.held = ""
        return "".join(shown)


def _without_answer(callback: Optional[OnText], separator: _Separator) -> Optional[Callable[[str], None]]:
    if callback is None:
        return None
    if not callable(callback):
        raise TypeError(f"on_stdout must be callable with a str, not {type(callback).__name__}")
    given = callback

    def shown(text: str) -> None:
        own = separator.feed(text)
        if own:
            given(own)

    return shown


def _file_for(session_id: str, payload: str) -> AbstractContextManager[str]:
    """Return the name of the file for a payload, "" where it needs none."""
    if len(payload) <= _LONGEST_LINE:
        return nullcontext("")
    digest = hashlib.sha256(payload.encode()).hexdigest()[:32]
    return reserve_unique_name(session_id, f"{HIDDEN_FOLDER}/calls/{digest}")


def _callee(function: str) -> dict[str, str]:
    """Return what is to be called: the source of a function, or an export of a file.

    No JavaScript begins with ``./`` or ``/workspace/``, so the two are never taken for each other.
    """
    text = _validate.text("function", function).strip()
    if not text:
        raise ValueError("function is empty; pass the source of a function, or './FILE.ts#EXPORT'")
    if text.startswith((".", "/workspace/")):
        path, found, name = text.rpartition("#")
        if not found or not _EXPORT.fullmatch(name):
            path, name = text, "default"
        if not path.startswith(("./", "/workspace/")):
            raise ValueError(f"function is {function!r}; a file of the workspace begins with './'")
        return {"file": path, "name": name}
    if _FILE.fullmatch(text):
        raise ValueError(f"function is {function!r}; to call a function of a file, write './{text}'")
    return {"source": function.rstrip().rstrip(";")}


def _parsed(answer: str) -> dict[str, Any]:
    # The value is decoded from its own text, so that a large one is not parsed twice.
    if answer.startswith('{"value":'):
        return {"json": answer[len('{"value":') : -1]}
    try:
        parsed = json.loads(answer)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise InvalidResponseError(
            f"a call's answer is not ours: {answer[:200]!r}", body=answer[:500].encode()
        )
    return parsed


def _decoded(text: str, result: ExecuteResult) -> Any:
    try:
        return js_values.decode(text)
    except js_values.UnfitError as error:
        raise _thrown({"name": "TypeError", "message": str(error)}, result) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidResponseError(
            f"a call's value is not ours ({error}): {text[:200]!r}",
            body=text[:500].encode("utf-8", "replace"),
        ) from error


def _error(answer: dict[str, Any], result: ExecuteResult) -> Exception:
    thrown = answer.get("thrown")
    if isinstance(thrown, dict):
        return _thrown(thrown, result)
    if "exit" in answer:
        return ExecutionFailedError(
            f"the function called process.exit({answer['exit']}) instead of returning", result=result
        )
    if "unresolved" in answer:
        return ExecutionFailedError(
            "the function's promise was never resolved, and nothing was left that could have", result=result
        )
    return InvalidResponseError(f"a call's answer is not ours: {answer!r:.200}")


def _thrown(thrown: dict[str, Any], result: ExecuteResult) -> JavaScriptError:
    return JavaScriptError(
        str(thrown.get("message")),
        name=str(thrown.get("name")),
        stack=str(thrown.get("stack") or ""),
        details=thrown.get("details") or {},
        result=result,
    )


def _ended(result: ExecuteResult) -> ExecutionFailedError:
    """Return the error of a call whose process ended without an answer."""
    try:
        result.check()
    except ExecutionFailedError as error:
        return error
    return ExecutionFailedError("the process ended before the function returned", result=result)
