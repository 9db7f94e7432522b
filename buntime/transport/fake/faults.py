"""Failures on purpose, as a network or a proxy would make them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Callable, Literal, Optional, Union

import attrs

from buntime._http import Pairs, Request, Response
from buntime.errors import APIConnectionError, APITimeoutError

Failure = Literal["connect", "dropped", "timeout", "cut_body", "html"]

_NAMES = ("connect", "dropped", "timeout", "cut_body", "html")
_PAGE = b"<!DOCTYPE html><html><head><title>Gateway</title></head><body>A proxy's page</body></html>"


@attrs.frozen
class PlannedFailure:
    """One failure to come: what it looks like, to which call, and whether the service acts all the same."""

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
        """Return the plan; ``ValueError`` for a failure that cannot be."""
        if isinstance(failure, str):
            if failure not in _NAMES:
                raise ValueError(f"failure is {failure!r}; it is a status or one of {', '.join(_NAMES)}")
        elif isinstance(failure, bool) or not isinstance(failure, int):
            raise TypeError(f"failure is a {type(failure).__name__}, not a status or a name")
        elif not 300 <= failure <= 599:
            raise ValueError(f"failure is the status {failure}, which is no failure")
        if failure == "connect" and acted:
            raise ValueError("where no connection is made, the service cannot have acted")
        usual = failure in {"dropped", "timeout", "cut_body"}
        return cls(
            failure, call, usual if acted is None else acted, code, message, tuple((headers or {}).items())
        )


def failing(
    plan: PlannedFailure,
    request: Request,
    answer: Callable[[Request], Response],
    advance: Callable[[float], None],
) -> Response:
    """Fail as planned: return the bad response, or raise as a transport does.

    ``answer`` lets the service act; ``advance`` lets the time of a timeout pass.
    """
    response = _whole(answer(request)) if plan.acted else None
    if plan.failure == "connect":
        raise APIConnectionError("no connection could be made, as planned", phase="connect")
    if plan.failure == "dropped":
        raise APIConnectionError("the connection was lost before the answer, as planned", phase="read")
    if plan.failure == "timeout":
        advance(request.read_timeout or 0.0)
        raise APITimeoutError("no answer came in time, as planned", phase="read")
    if plan.failure == "cut_body":
        body = b"" if response is None else response.read()
        return Response(200, () if response is None else response.headers, _cut(body))
    if plan.failure == "html":
        return Response(200, [("Content-Type", "text/html"), *plan.headers], [_PAGE])
    code = {} if plan.code is None else {"code": plan.code}
    body = json.dumps({"error": {**code, "message": plan.message, "details": {}}}).encode()
    return Response(plan.failure, [("Content-Type", "application/json"), *plan.headers], [body])


def _whole(response: Response) -> Response:
    response.read()
    return response


def _cut(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise APIConnectionError("the body ended half-way, as planned", phase="read")
