"""The client's helpers, done on a workspace instead of run.

The first line of a helper says what it is to do: ``// buntime:helper {"op": ..., ...}``. This is a second
reading of that protocol: it does not import the client's own.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Mapping
from typing import Any, Callable

from buntime.service.errors import ServiceError
from buntime.service.scripted import file_helpers
from buntime.service.scripted.file_helpers import HelperError
from buntime.service.workspace.base import PathError, Workspace

_MARK = "// buntime:helper "


def is_helper(code: str) -> bool:
    """Whether ``code`` is a helper of the client."""
    return code.startswith(_MARK)


def arguments_of(code: str) -> dict[str, Any]:
    """Return what the first line of a helper says, ``op`` among it; nothing where it is no helper's."""
    try:
        found = json.loads(code.partition("\n")[0][len(_MARK) :])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def answer(code: str, workspace: Workspace) -> str:
    """Do what the helper would and return the standard output it would leave: one line of JSON.

    Refuses with 501 ``unknown_helper`` an operation that is not known here.
    """
    arguments = arguments_of(code)
    operation = OPERATIONS.get(str(arguments.get("op")))
    if operation is None:
        raise ServiceError(501, "unknown_helper", f"This model has no helper {arguments.get('op')!r}")
    try:
        answered = operation(workspace, arguments)
    except (OSError, PathError, UnicodeDecodeError, HelperError) as error:
        answered = {"error": {"code": _code_of(error), "message": str(error)}}
    return json.dumps(answered) + "\n"


def _code_of(error: Exception) -> str:
    if isinstance(error, HelperError):
        return error.code
    if isinstance(error, OSError):
        return errno.errorcode.get(error.errno or 0, "EIO")
    return "EOUTSIDE" if isinstance(error, PathError) else "ERR_ENCODING_INVALID_ENCODED_DATA"


def _read(workspace: Workspace, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"content": workspace.read(arguments["path"]).decode()}


OPERATIONS: dict[Any, Callable[[Workspace, Mapping[str, Any]], dict[str, Any]]] = {
    "read": _read,
    "ping": lambda _workspace, _arguments: {},
    **file_helpers.OPERATIONS,
}
"""What each helper does, by its name."""
