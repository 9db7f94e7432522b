"""What is built on ``/execute``, because the service has no call for it.

A helper is Bun code, never shell: what the session's shell offers is unknown. Its first line is
``// buntime:helper {"op": ..., ...}``, by which a service model can answer without running it; the last
line of its standard output is JSON. The programs are in ``programs/``, one file for each operation.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from typing import Any

from buntime.calls.executions import Executions
from buntime.engine.caller import Caller
from buntime.errors import (
    APIStatusError,
    BuntimeError,
    ConflictError,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    ResourceLimitError,
    SessionFileNotFoundError,
)
from buntime.helpers.unique_names import reserve_unique_name
from buntime.models import ExecuteRequest, ExecuteResult, FilesArgument
from buntime.wire.responses import HIDDEN_FOLDER

_REFUSED = frozenset(
    {
        "E2BIG",
        "EACCES",
        "EEXIST",
        "EINVAL",
        "EISDIR",
        "ELOOP",
        "ENAMETOOLONG",
        "ENOTDIR",
        "ENOTEMPTY",
        "EOUTSIDE",
        "EPERM",
        "ERR_ENCODING_INVALID_ENCODED_DATA",
    }
)
_FULL = frozenset({"ENOSPC", "EDQUOT", "EFBIG"})
_CHANGED = frozenset({"ECHANGED"})
_NO_PROCESS = "ESRCH"
_CONSUMED = "ECONSUMED"
_TRIES = 5

_SHARED = {"file": ("files",), "process": ("processes",), "port": ("processes",)}
"""What helpers have in common, by the first word of their names."""


class Helpers:
    """Runs helpers in sessions."""

    def __init__(self, caller: Caller) -> None:
        self._executions = Executions(caller)

    def run(
        self,
        session_id: str,
        op: str,
        /,
        *,
        idempotent: bool,
        timeout: int | None = None,
        files: FilesArgument | None = None,
        env: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> dict[str, Any]:
        """Run the helper ``op`` and return its answer.

        ``idempotent`` says that running it twice does no harm: it only reads, or overwrites. ``files`` are
        written first, for arguments too large for a line. ``env`` is the helper's environment. Raises what
        the operating system refused in the session as the error that the service would give it:
        :class:`~buntime.SessionFileNotFoundError`, :class:`~buntime.InvalidRequestError`,
        :class:`~buntime.ResourceLimitError`.
        """
        request = ExecuteRequest(
            source(op, **arguments),
            session_id=session_id,
            files=files,
            env=env,
            timeout=timeout,
            idempotent=idempotent,
        )

        def decode(result: ExecuteResult) -> dict[str, Any]:
            answer = answer_of(result)
            error = answer.get("error")
            if error is not None:
                raise error_of(op, arguments.get("path"), error)
            return answer

        return self._executions.run(request, decode=decode)

    def run_staged(
        self, session_id: str, op: str, /, content: str, *, timeout: int | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """As :meth:`run`, idempotent, for a helper that takes ``content`` from a file and deletes the file.

        An attempt that finds the file gone comes after one that had done everything; its answer is empty.
        Where no attempt came before, another process made the same call, and this one is made anew.
        """
        key = hashlib.sha256(json.dumps([op, arguments]).encode())
        key.update(content.encode())
        with reserve_unique_name(session_id, f"{HIDDEN_FOLDER}/staged/{key.hexdigest()[:32]}") as staged:
            arguments.update(timeout=timeout, files={staged: content}, staged=staged)
            for left in reversed(range(_TRIES)):
                try:
                    return self.run(session_id, op, idempotent=True, **arguments)
                except APIStatusError as error:
                    if error.code == _CONSUMED and error.maybe_executed:
                        return {}
                    if error.code != _CONSUMED or not left:
                        raise
        raise AssertionError("unreachable")


def source(op: str, **arguments: Any) -> str:
    """Return the code of a helper: its first line, its arguments as ``helper``, and its program."""
    line = json.dumps({"op": op, **arguments})
    program = "\n".join(map(_program, ("common", *_SHARED.get(op.partition("_")[0], ()), op)))
    return f"// buntime:helper {line}\nconst helper = {line};\n{program}"


@functools.cache
def _program(name: str) -> str:
    return (resources.files("buntime.helpers.programs") / f"{name}.js").read_text(encoding="utf-8")


def answer_of(result: ExecuteResult) -> dict[str, Any]:
    """Return the JSON object in the last line of a helper's standard output."""
    try:
        answer = json.loads(_last_line(result.stdout))
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        return answer
    error = InvalidResponseError(
        f"a helper ended with exit code {result.exit_code} and no JSON object in the last line of its "
        f"output; stderr ends {result.stderr[-300:]!r}",
        body=result.stdout[-500:].encode("utf-8", "replace"),
    )
    if result.exit_code:
        error.hint = "It could not be started, or was ended: pass less at once, or try again"
    raise error


def _last_line(text: str) -> str:
    """Return the last line that is not blank, without a copy of the rest: it may be megabytes."""
    end = len(text)
    while end and text[end - 1].isspace():
        end -= 1
    return text[text.rfind("\n", 0, end) + 1 : end]


def text_of(answer: dict[str, Any], name: str) -> str:
    """Return a string of a helper's answer; :class:`~buntime.InvalidResponseError` where it is none."""
    value = answer.get(name)
    if isinstance(value, str):
        return value
    raise InvalidResponseError(f"a helper's answer has no text {name!r}: {json.dumps(answer)[:200]}")


def error_of(op: str, path: Any, error: Any) -> BuntimeError:
    """Return the error that a helper reports, as the service would have put it."""
    if not isinstance(error, dict):
        return InvalidResponseError(f"the helper {op!r} failed in a form that is not ours: {error!r:.200}")
    code, message = str(error.get("code")), str(error.get("message"))
    details = {"errno": code, "path": path}
    if code == "ENOENT":
        shown = path if isinstance(path, str) else None
        text = f"the session has no file {shown!r}" if shown else message
        return SessionFileNotFoundError(text, code="file_not_found", path=shown, details=details)
    if code == _NO_PROCESS:
        missing = NotFoundError(message, code="process_not_found", details=details)
        missing.hint = "See session.processes() for what was started"
        return missing
    if code in _FULL:
        return ResourceLimitError(message, code="disk_full", details=details)
    if code in _CHANGED:
        changed = ConflictError(message, code="changed_meanwhile", details=details)
        changed.hint = "Try again when nothing else writes to it"
        return changed
    if code in _REFUSED:
        return InvalidRequestError(message, code="invalid_request", details=details)
    return APIStatusError(f"the helper {op!r} failed: {code}: {message}", code=code, details=details)
