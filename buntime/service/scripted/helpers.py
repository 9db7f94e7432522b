"""The client's helpers, carried out on a workspace instead of run.

The first line of a helper names its operation: ``// buntime:helper {"op": ..., ...}``. This is a second
reading of that protocol: it does not import the client's.
"""

from __future__ import annotations

import base64
import errno
import json
from collections.abc import Mapping
from typing import Any, Callable, cast

import attrs

from buntime.service.errors import ServiceError
from buntime.service.executors import HELPER_MARK
from buntime.service.scripted.file_helpers import FILE_HELPERS, MutableWorkspace, ScriptedHelperError
from buntime.service.scripted.results import ScriptedExecution
from buntime.service.workspace.base import PathError, Workspace
from buntime.service.workspace.paths import normalise

_MESSAGES = {
    "EEXIST": "{} exists already",
    "EISDIR": "{} is a folder",
    "ENOTDIR": "{} is a file, or below one",
    "ENOTEMPTY": "{} is a folder that is not empty",
}


def is_helper(code: str) -> bool:
    """Whether ``code`` is a helper of the client."""
    return code.startswith(HELPER_MARK)


def arguments_of(code: str) -> dict[str, Any]:
    """Return the JSON object in the first line of a helper, ``{}`` if there is none."""
    try:
        arguments = json.loads(code.partition("\n")[0][len(HELPER_MARK) :])
    except ValueError:
        return {}
    return arguments if isinstance(arguments, dict) else {}


def run(arguments: Mapping[str, Any], workspace: Workspace) -> str:
    """Carry out a helper and return its standard output: one line of JSON.

    Raises a 501 ``unknown_helper`` for an unknown operation.
    """
    operation = HELPERS.get(str(arguments.get("op")))
    if operation is None and str(arguments.get("op")).startswith("http_"):
        message = "A fake has no servers for fetch and wait_for_http; test with LocalTransport or a cassette"
        raise ServiceError("unknown_helper", message)
    if operation is None:
        raise ServiceError("unknown_helper", f"This model has no helper {arguments.get('op')!r}")
    try:
        result = operation(workspace, arguments)
    except (OSError, PathError, UnicodeDecodeError, ScriptedHelperError) as error:
        result = error_result(error)
    return json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n"


def error_result(error: Exception) -> dict[str, Any]:
    """Return the output of a helper that failed."""
    message = str(error)
    if isinstance(error, ScriptedHelperError):
        code = error.code
    elif isinstance(error, OSError):
        code = errno.errorcode.get(error.errno or 0, "EIO")
        if error.filename is not None:
            message = _MESSAGES.get(code, f"{error.strerror}: {{}}").format(error.filename)
    else:
        code = "EOUTSIDE" if isinstance(error, PathError) else "ERR_ENCODING_INVALID_ENCODED_DATA"
    return {"error": {"code": code, "message": message}}


def program_of(arguments: Mapping[str, Any], execution: ScriptedExecution) -> ScriptedExecution:
    """Return the execution of a program with standard input, for which a helper stands."""
    if "path" in arguments:
        stdin = execution.workspace.read(arguments["path"])
        if not arguments["reusable"]:
            cast("MutableWorkspace", execution.workspace).delete(arguments["path"], recursive=False)
    else:
        stdin = base64.b64decode(arguments["base64"]) if "base64" in arguments else arguments["text"].encode()
    return attrs.evolve(
        execution,
        code=arguments["code"],
        command=arguments["command"],
        working_dir=normalise(arguments["working_dir"] or ""),
        stdin=stdin,
    )


def _read(workspace: Workspace, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": workspace.read(arguments["path"]).decode()}


def _ping(_workspace: Workspace, _arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {}


HELPERS: dict[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {
    "read": _read,
    "ping": _ping,
    "repl_stop": lambda _workspace, _arguments: {"kept": True},
    **FILE_HELPERS,
}
"""The helpers by operation; those of processes and functions are beside this file."""
