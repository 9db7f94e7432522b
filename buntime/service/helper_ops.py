"""The client's helpers, done on a workspace instead of run.

The first line of a helper says what it is to do: ``// buntime:helper {"op": ..., ...}``. This is a second
reading of that protocol: it does not import the client's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable

from buntime.service.refusals import Refusal
from buntime.service.workspaces import PathError, Workspace

_MARK = "// buntime:helper "


def is_helper(code: str) -> bool:
    """Whether ``code`` is a helper of the client."""
    return code.startswith(_MARK)


def answer(code: str, workspace: Workspace) -> str:
    """Do what the helper would and return the standard output it would leave: one line of JSON.

    Refuses with 501 ``unknown_helper`` an operation that is not known here.
    """
    arguments = _arguments(code)
    operation = _OPERATIONS.get(str(arguments.get("op")))
    if operation is None:
        raise Refusal(501, "unknown_helper", f"This model has no helper {arguments.get('op')!r}")
    return json.dumps(operation(workspace, arguments)) + "\n"


def _arguments(code: str) -> dict[str, Any]:
    try:
        found = json.loads(code.partition("\n")[0][len(_MARK) :])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _read(workspace: Workspace, arguments: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {"content": workspace.read(arguments["path"]).decode()}
    except FileNotFoundError as error:
        return {"error": "ENOENT", "message": str(error)}
    except IsADirectoryError as error:
        return {"error": "EISDIR", "message": str(error)}
    except UnicodeDecodeError as error:
        return {"error": "ERR_ENCODING_INVALID_ENCODED_DATA", "message": str(error)}
    except PathError as error:
        return {"error": "EACCES", "message": str(error)}


_OPERATIONS: dict[Any, Callable[[Workspace, Mapping[str, Any]], dict[str, Any]]] = {"read": _read}
