"""Responses as values, and error responses as exceptions."""

from __future__ import annotations

import re
from typing import Any, Optional

import attrs

from buntime._http import BufferedResponse, Headers, Request
from buntime._support.terminal import printable
from buntime.client.settings import RUNLOOP
from buntime.errors import APIStatusError, BuntimeError, ServerError
from buntime.runloop.wire.routes import Route
from buntime.runloop.wire.views.base import KINDS, View
from buntime.wire.error_responses import CLASS_BY_STATUS, parse_error_body, retry_after
from buntime.wire.error_responses import decode_error as decode_other
from buntime.wire.fields import invalid, parse_json

_REMOVED = ("/v1/agents", "/v1/scenarios", "/v1/benchmarks", "/v1/benchmark_runs")
_NO_ROUTE = re.compile("(HTTP 404 )?Not Found|This model has no .*|the body is .*", re.I | re.S)
"""The messages of a 404 that is not about an id."""
_EXPIRED = "A presigned URL expires, and the storage accepts no other request with it: get a new one"
_NOT_IMPLEMENTED = 501
_HINTS = {
    401: f"Check {RUNLOOP.key_variable}, or pass {RUNLOOP.key_argument}=",
    409: "The resource is busy, such as a devbox during a snapshot; repeat the call later",
    _NOT_IMPLEMENTED: "",
}


@attrs.frozen
class PageContent:
    """The items of one page, whether more follow, and the total number if the response contains it."""

    items: list[Any]
    has_more: bool
    total_count: Any = None


def decode(route: Route, response: BufferedResponse) -> Any:
    """Return the value of a 2xx response; :class:`~buntime.InvalidResponseError` if it is not the API's."""
    if route.view in {"bytes", "zip"}:
        return response.body
    if route.view == "text":
        return _text(response)
    value = _json(response)
    if route.view == "json":
        return value
    if route.items:
        return _page(route, value, response)
    view = KINDS[route.view].from_json({} if value is None else value, response)
    if route.name == "devboxes.write_file_contents" and view.exit_status:
        reason = f"(exit status {view.exit_status}): {(view.stderr or view.stdout or '').strip()}"
        raise APIStatusError(f"the file was not written {reason}", status=200)
    return view


def _json(response: BufferedResponse) -> Any:
    return parse_json(response) if response.body.strip() else None


def _text(response: BufferedResponse) -> str:
    if "json" in response.headers.get("Content-Type", ""):
        value = _json(response)
        if isinstance(value, dict) and value.get("exit_status") and "devbox_id" in value:
            raise APIStatusError(f"the file was not read: {value.get('stderr') or value}", status=200)
    try:
        return response.body.decode()
    except UnicodeDecodeError:
        raise invalid(response, "the file is not text in UTF-8; use file.download() for bytes") from None


def _page(route: Route, value: Any, response: BufferedResponse) -> PageContent:
    items = value.get(route.items) if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise invalid(response, f"the body has no list {route.items!r}")
    kind: type[View] = KINDS[route.view]
    views = [kind.from_json(item, response) for item in items]
    return PageContent(views, bool(value.get("has_more")), value.get("total_count"))


def decode_error(route: Route, request: Request, response: BufferedResponse) -> BuntimeError:
    """Return the error for a response that is not 2xx."""
    status = response.status or 0
    if status < 400 or status == 407:
        return decode_other(request, response)
    body = parse_error_body(response.body)
    error = _error(
        status,
        printable(f"the service returned {status}: {body.message}"),
        response.headers,
        code=body.code,
        # A gateway's 503 proves nothing, and the API does not define a form for errors.
        maybe_executed=not route.is_read and (status == 408 or status >= 500) and status != _NOT_IMPLEMENTED,
    )
    is_list = bool(route.items) and not route.arguments
    is_no_route = status == 404 and (is_list or _NO_ROUTE.fullmatch(body.message) is not None)
    if is_no_route and request.path.startswith(_REMOVED):
        error.hint = "Newer versions of the API no longer have this resource"
    if status == 408 and route.is_wait:
        error.should_retry = False  # the wait goes on with the next request, which is not a retry
        error.hint = "The status was not reached while the service held the request; wait again"
    if request.origin is not None and status in {400, 401, 403}:
        error.hint = _EXPIRED
    return error


def decode_error_event(code: object, message: str) -> BuntimeError:
    """Return the error that a stream reports in an event; ``code`` is a status."""
    status = code if isinstance(code, int) and 400 <= code <= 599 else 500
    return _error(status, f"the stream ended with the error {status}: {message}", Headers())


def _error(
    status: int, message: str, headers: Headers, *, code: Optional[str] = None, maybe_executed: bool = False
) -> APIStatusError:
    kind = ServerError if status >= 500 else CLASS_BY_STATUS.get(status, APIStatusError)
    error = kind(
        message,
        code=code,
        status=status,
        retry_after=_retry_after(headers),
        request_id=request_id(headers),
        maybe_executed=maybe_executed,
    )
    error.should_retry = {"true": True, "false": False}.get(headers.get("x-should-retry", "").lower())
    error.hint = _HINTS.get(status, error.hint)
    return error


def _retry_after(headers: Headers) -> Optional[float]:
    try:
        milliseconds = float(headers.get("retry-after-ms", ""))
    except ValueError:
        return retry_after(headers)
    return max(0.0, milliseconds / 1000) if milliseconds == milliseconds else None


def request_id(headers: Headers) -> Optional[str]:
    """Return the request id in the headers of a response."""
    return headers.get("x-request-id")
