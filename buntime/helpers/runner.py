"""Operations built on ``/execute``, because the API does not have them.

A helper is Bun code, never shell: the commands of the session's shell are unknown. Its first line is
``// buntime:helper {"op": ..., ...}``, so that a service model can respond without running it. The last line
of its standard output is the reply, a JSON object. The programs are in ``programs/``, one file per operation.
"""

from __future__ import annotations

import functools
import hashlib
import json
import pkgutil
from collections.abc import Mapping
from typing import Any, Optional, TypeVar

from buntime import _validate
from buntime.calls.executions import ExecutionCalls
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
from buntime.wire import constants
from buntime.wire.json import json_object

_INVALID = frozenset(
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
_CONSUMED = "ECONSUMED"
_MAX_ATTEMPTS = 5

Item = TypeVar("Item")

_SHARED = {
    "file": ("files",),
    "file_walk": ("files", "entries"),
    "file_watch": ("files", "entries"),
    "process": ("processes",),
    "port": ("processes",),
    "http_send": ("files",),
    "http_wait": ("processes",),
    "call": ("values",),
    "process_start": ("processes", "launch"),
    "process_write": ("files", "processes"),
    "run": ("processes", "launch"),
    "devbox": ("files", "processes", "launch"),
    "repl_start": ("processes", "launch"),
    "repl_eval": ("processes", "values"),
}
"""The programs that helpers have in common, by the names of the helpers or their first words."""


class Helpers:
    """Runs helpers in sessions."""

    def __init__(self, executions: ExecutionCalls) -> None:
        self._executions = executions

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
        """Run the helper ``op`` and return its reply.

        Arguments:
            session_id: where to run it.
            op: the name of its program.
            idempotent: running it twice does no harm: it only reads, or overwrites.
            timeout: whole seconds that it may take.
            files: written first, for arguments that are too large for a line.
            env: its environment.
            arguments: of the helper.

        An error of the operating system in the session is raised as the error that the service would return:
        :class:`~buntime.SessionFileNotFoundError`, :class:`~buntime.InvalidRequestError`,
        :class:`~buntime.ResourceLimitError`.
        """

        def decode(result: ExecuteResult) -> dict[str, Any]:
            reply = parse_reply(result)
            if reply.get("error") is not None:
                raise error_of(op, arguments.get("path"), reply["error"])
            return reply

        request = ExecuteRequest(
            source(op, **arguments),
            session_id=session_id,
            files=files,
            env=helper_env(env),
            timeout=timeout,
            idempotent=idempotent,
            max_output=None,
        )
        del env  # so that no traceback with these variables shows its values
        return self._executions.run(request, decode=decode)

    def run_staged(
        self, session_id: str, op: str, /, content: str, *, digest: str | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """Like :meth:`run`, idempotent, for a helper that takes ``content`` from a file.

        ``digest`` is a hash of the content, if the caller has one.

        Every attempt sends the file. If it is gone nevertheless, another process made the same call at the
        same time and its helper has read the file, so this one starts again.
        """
        digest = digest or hashlib.sha256(content.encode()).hexdigest()
        key = hashlib.sha256(json.dumps([op, arguments, digest]).encode())
        name = f"{constants.HIDDEN_FOLDER}/staged/{key.hexdigest()[:32]}"
        with reserve_unique_name(session_id, name) as staged:
            arguments.update(files={staged: content}, staged=staged)
            for _ in range(_MAX_ATTEMPTS - 1):
                try:
                    return self.run(session_id, op, idempotent=True, **arguments)
                except APIStatusError as error:
                    if error.code != _CONSUMED:
                        raise
            return self.run(session_id, op, idempotent=True, **arguments)

    def delete_file(self, session_id: str, path: str) -> None:
        """Delete a file of the helpers, if it exists."""
        self.run(session_id, "file_delete", idempotent=True, path=path, recursive=False, missing_ok=True)


def helper_env(env: Optional[Mapping[str, str]]) -> dict[str, str]:
    """Return the environment of a helper: one that starts a program passes on the rest of ``BUN_OPTIONS``."""
    env = env or {}
    options = " ".join(filter(None, (constants.HELPER_BUN_OPTIONS, env.get("BUN_OPTIONS"))))
    return {**env, "BUN_OPTIONS": options}


def source(op: str, **arguments: Any) -> str:
    """Return the code of a helper: its first line, its arguments as ``helper``, and its program."""
    line = json.dumps({"op": op, **arguments})
    shared = _SHARED.get(op) or _SHARED.get(op.partition("_")[0], ())
    program = "\n".join(map(_program, ("common", *shared, op)))
    if op == "repl_start":
        host = "\n".join(map(_program, ("common", "values", "repl_host")))
        # In a function, so that its names are not global variables.
        program = f"const HOST = {json.dumps(f'(function (SOCKET) {{{host}}})')};\n{program}"
    return f"// buntime:helper {line}\nconst helper = {line};\n{program}"


@functools.cache
def _program(name: str) -> str:
    # By the import system, which works under a replaced file system (pyfakefs), too.
    content = pkgutil.get_data("buntime.helpers.programs", f"{name}.js")
    if content is None:
        raise FileNotFoundError(f"the installation of buntime lacks the program {name}.js")
    return content.decode()


def parse_reply(result: ExecuteResult) -> dict[str, Any]:
    """Return the JSON object in the last line of a helper's standard output.

    Raises :class:`~buntime.ExecutionTimeoutError` if there is none because the helper reached its time limit.
    """
    # Found from the end, without a copy of the output: it may be megabytes.
    text = result.stdout
    end = len(text)
    while end and text[end - 1].isspace():
        end -= 1
    reply = json_object(text[text.rfind("\n", 0, end) + 1 : end])
    if reply is not None:
        return reply
    if result.timed_out:
        result.check()
    error = InvalidResponseError(
        f"a helper ended with exit code {result.exit_code} and without a JSON object in the last line of its "
        f"output; stderr ends {result.stderr[-300:]!r}",
        body=text[-500:].encode("utf-8", "replace"),
    )
    if result.exit_code:
        error.hint = "It could not be started, or was killed: pass less data per call, or retry"
    raise error


def text_of(reply: dict[str, Any], name: str) -> str:
    """Return a string of a helper's reply; :class:`~buntime.InvalidResponseError` for anything else."""
    value = reply.get(name)
    if isinstance(value, str):
        return value
    raise invalid_reply(f"has no text {name!r}", reply)


def list_of(reply: dict[str, Any], name: str, kind: type[Item]) -> list[Item]:
    """Return a list of a helper's reply; :class:`~buntime.InvalidResponseError` for anything else."""
    values = reply.get(name)
    if isinstance(values, list) and all(type(value) is kind for value in values):
        return values
    raise invalid_reply(f"has no list of {name}", reply)


def integer_of(reply: dict[str, Any], name: str) -> int:
    """Return an integer of a helper's reply; :class:`~buntime.InvalidResponseError` for anything else."""
    value: Any = reply.get(name)
    if _validate.is_number(value, integer=True):
        return int(value)
    raise invalid_reply(f"has no number {name!r}", reply)


def invalid_reply(problem: str, reply: object) -> InvalidResponseError:
    """Return the error for a reply that no helper of this version sends."""
    return InvalidResponseError(f"the reply of a helper {problem}: {json.dumps(reply)[:200]}")


def error_of(op: str, path: Any, error: Any) -> BuntimeError:
    """Return the error that a helper reports, as the service would return it."""
    if not isinstance(error, dict):
        return invalid_reply(f"({op}) has an error that is not an object", error)
    code, message = str(error.get("code")), str(error.get("message"))
    details = {"errno": code, "path": path}
    if code == "ENOENT":
        return file_not_found(path if isinstance(path, str) else None, message, details)
    if code == "ESRCH":
        missing = NotFoundError(message, code=constants.PROCESS_NOT_FOUND, details=details)
        missing.hint = "List the session's processes with session.processes()"
        return missing
    if code == "EPIPE":
        closed = ConflictError(message, code=constants.STDIN_CLOSED, details=details)
        closed.hint = "Check the exit_code and the logs() of the process"
        return closed
    if code in _FULL:
        return ResourceLimitError(message, code=constants.DISK_FULL, details=details)
    if code == "ECHANGED":
        return changed_meanwhile(message, details)
    if code in _INVALID:
        return InvalidRequestError(message, code=constants.INVALID_REQUEST, details=details)
    return APIStatusError(f"the helper {op!r} failed: {code}: {message}", code=code, details=details)


def errno_of(error: BuntimeError) -> Any:
    """Return the name of the operating system's error that a helper reported, if it did."""
    return error.details.get("errno") if isinstance(error.details, dict) else None


def is_unavailable(error: BuntimeError) -> bool:
    """Whether a file cannot be read because it vanished, or its permissions changed."""
    return isinstance(error, SessionFileNotFoundError) or errno_of(error) in {"EACCES", "EPERM"}


def file_not_found(path: Optional[str], message: str = "", details: Any = None) -> SessionFileNotFoundError:
    """Return the error for a file that does not exist; ``message`` is for one without a path."""
    text = f"the session has no file {path!r}" if path else message
    return SessionFileNotFoundError(text, code=constants.FILE_NOT_FOUND, path=path, details=details)


def changed_meanwhile(message: str, details: Any = None) -> ConflictError:
    """Return the error for a file that something else changed during a transfer."""
    error = ConflictError(message, code=constants.CHANGED_MEANWHILE, details=details)
    error.hint = "Retry when nothing else writes to it"
    return error
