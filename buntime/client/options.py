"""The arguments of ``execute`` and ``stream`` as a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Optional

import attrs

from buntime._support.other_names import check_arguments, refuse_positional
from buntime.client.context import Context
from buntime.models import ExecuteOptions, ExecuteRequest, WatchOptions

_OPTIONS = {"execute": WatchOptions.__annotations__, "stream": ExecuteOptions.__annotations__}


def check_call(
    kind: str,
    method: Literal["execute", "stream"],
    others: Sequence[object],
    options: ExecuteOptions,
    by_name: Sequence[str],
) -> None:
    """Raise ``TypeError`` for positional arguments after the first, and for unknown options."""
    call = f"{kind}.{method}"
    refuse_positional(call, 1 + len(others), 1, by_name)
    check_arguments(call, options, {*_OPTIONS[method], *by_name, "code"})


def make_request(
    context: Context,
    request: Optional[ExecuteRequest],
    session_id: Optional[str],
    code: Optional[str],
    command: Optional[str],
    options: ExecuteOptions,
) -> ExecuteRequest:
    """Return ``request``, or one of the other arguments, for the session, in a form that the API has.

    Standard input is not in the API: it is sent in the code, or written to a file of the session before.

    Raises ``TypeError`` if both are passed, or if the session is missing.
    """
    if request is None:
        request = ExecuteRequest(code, command=command, session_id=session_id, **options)
        options.pop("env", None)  # so that no traceback with the caller's variables shows its values
    else:
        request = _for_session(request, session_id, {"code": code, "command": command, **options})
    if request.session_id is None:
        raise TypeError("session_id is missing")
    if request.stdin is None:
        return request
    from buntime.client.standard_input import with_stdin

    return with_stdin(context, request)


def _for_session(request: object, session_id: Optional[str], passed: dict[str, object]) -> ExecuteRequest:
    """Return a complete request for the session; nothing else may be passed beside it."""
    if not isinstance(request, ExecuteRequest):
        raise TypeError(
            f"the first argument must be an ExecuteRequest, not {type(request).__name__}; pass code as code="
        )
    # ``None`` is the default of every argument but max_output, and ``False`` of every flag.
    extra = [
        name
        for name, value in passed.items()
        if name == "max_output" or (value is not None and value is not False)
    ]
    if extra:
        raise TypeError(f"pass {', '.join(extra)} in the ExecuteRequest, not beside it")
    if session_id is None:
        return request
    if request.session_id not in {None, session_id}:
        raise ValueError(
            f"the ExecuteRequest is for session {request.session_id}, the call for session {session_id}"
        )
    return attrs.evolve(request, session_id=session_id)
