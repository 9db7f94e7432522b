"""Planned failures, as a network, a proxy or the service would cause them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Callable, Literal, Optional, Union

import attrs

from buntime._http import Pairs, Request, Response
from buntime.errors import APIConnectionError, APITimeoutError

Failure = Literal["connect", "dropped", "timeout", "cut_body", "html"]

_ACTS_BY_DEFAULT = {"connect": False, "dropped": True, "timeout": True, "cut_body": True, "html": False}
_PAGE = b"<!DOCTYPE html><html><head><title>Gateway</title></head><body>A proxy's page</body></html>"


@attrs.frozen
class PlannedFailure:
    """One failure: its kind, which call it affects, and whether the service acts nevertheless."""

    failure: Union[Failure, int]
    call: Optional[str]
    acted: bool
    code: Optional[str]
    message: str
    headers: Pairs

    @classmethod
    def make(
        cls,
        failure: Failure | int,
        *,
        call: str | None,
        acted: bool | None,
        code: str | None,
        message: str,
        headers: Mapping[str, str] | None,
    ) -> PlannedFailure:
        """Return the plan; ``ValueError`` or ``TypeError`` for an impossible failure."""
        if isinstance(failure, str):
            if failure not in _ACTS_BY_DEFAULT:
                names = ", ".join(_ACTS_BY_DEFAULT)
                raise ValueError(f"failure is {failure!r}; it is a status or one of {names}")
        elif isinstance(failure, bool) or not isinstance(failure, int):
            raise TypeError(f"failure must be a status or a name, not {type(failure).__name__}")
        elif not 300 <= failure <= 599:
            raise ValueError(f"failure is the status {failure}; a failure is from 300 to 599")
        if failure == "connect" and acted:
            raise ValueError("without a connection the service cannot act: acted= must not be True")
        if acted is None:
            acted = isinstance(failure, str) and _ACTS_BY_DEFAULT[failure]
        return cls(failure, call, acted, code, message, tuple((headers or {}).items()))


def fail(
    plan: PlannedFailure,
    request: Request,
    handle: Callable[[Request], Response],
    advance: Callable[[float], None],
) -> Response:
    """Fail as planned: return the bad response, or raise an error as a transport does.

    ``handle`` lets the service act; ``advance`` lets the time of a timeout pass.
    """
    response = None
    if plan.acted:
        response = handle(request)
        response.read()
    if plan.failure == "connect":
        raise APIConnectionError("planned failure: no connection could be made", phase="connect")
    if plan.failure == "dropped":
        raise APIConnectionError("planned failure: the connection was lost before the response", phase="read")
    if plan.failure == "timeout":
        advance(request.read_timeout or 0.0)
        raise APITimeoutError("planned failure: no response in time", phase="read")
    if plan.failure == "cut_body":
        if response is None:
            return Response(200, (), _cut(b""))
        return Response(200, response.headers, _cut(response.read()))
    if plan.failure == "html":
        return Response(200, [("Content-Type", "text/html"), *plan.headers], [_PAGE])
    code = {} if plan.code is None else {"code": plan.code}
    error = {**code, "message": plan.message}
    is_runloop = request.path.startswith("/v1/")
    body = json.dumps(error if is_runloop else {"error": {**error, "details": {}}}).encode()
    return Response(plan.failure, [("Content-Type", "application/json"), *plan.headers], [body])


def _cut(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise APIConnectionError("planned failure: the body ended half-way", phase="read")
