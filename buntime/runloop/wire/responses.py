"""Responses and the events of streams as values, and errors as exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Optional, Union

import attrs

from buntime._http import BufferedResponse, Headers, Request
from buntime._support import sse
from buntime._support.terminal import printable
from buntime.client.settings import RUNLOOP
from buntime.errors import APIStatusError, BuntimeError, RequestTimeoutError, ServerError
from buntime.runloop.wire.routes import Route
from buntime.runloop.wire.views.base import KINDS, View
from buntime.wire.error_responses import CLASS_BY_STATUS, parse_error_body, retry_after
from buntime.wire.error_responses import decode_error as decode_other
from buntime.wire.events import ParsedEvent
from buntime.wire.fields import invalid, parse_json
from buntime.wire.json import json_object

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


def _page(route: Route, value: Any, response: BufferedResponse) -> dict[str, Any]:
    """Return the attributes of a page."""
    items = value.get(route.items) if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise invalid(response, f"the body has no list {route.items!r}")
    kind: type[View] = KINDS[route.view]
    views = [kind.from_json(item, response) for item in items]
    counts = {"has_more": bool(value.get("has_more")), "total_count": value.get("total_count")}
    return {"items": views, route.items: views, **counts}


def decode_error(route: Route, request: Request, response: BufferedResponse) -> BuntimeError:
    """Return the error for a response that is not 2xx."""
    status = response.status or 0
    if status < 400 or status == 407:
        return decode_other(request, response)
    body = parse_error_body(response.body)
    message = printable(f"the service returned {status}: {body.message}")
    # A gateway's 503 proves nothing, and the API does not define a form for errors.
    maybe_executed = not route.is_read and (status == 408 or status >= 500) and status != _NOT_IMPLEMENTED
    error = _error(status, message, response.headers, code=body.code, maybe_executed=maybe_executed)
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


def _error(status: int, message: str, headers: Headers, **known: Any) -> APIStatusError:
    kind = ServerError if status >= 500 else CLASS_BY_STATUS.get(status, APIStatusError)
    known.update(retry_after=_retry_after(headers), request_id=request_id(headers))
    error = kind(message, status=status, **known)
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


class ReconnectError(BuntimeError):
    """The service ended a stream before the execution, and expects another request."""


@attrs.define
class OutputPosition:
    """How many bytes of an output have arrived. A stream that is cut is resumed here.

    Only the first pieces of a resumed stream may repeat what has arrived. Later offsets are taken as they
    are: bytes that are not UTF-8 arrive as longer characters, so a piece can have more bytes than it covers.
    """

    offset: int = 0
    is_resumed: bool = False

    def new_text(self, text: str, offset: int | None) -> str:
        """Return the part of a piece that has not arrived before; ``offset`` is that of its first byte."""
        data = text.encode("utf-8", "surrogatepass")
        start = self.offset if offset is None else offset
        overlap = max(0, self.offset - start) if self.is_resumed else 0
        if overlap and overlap >= len(data):
            return ""
        self.is_resumed = False
        self.offset = start + len(data)
        return data[overlap:].decode("utf-8", "ignore") if overlap else text


def read_event(name: str, data: Union[str, dict[str, Any]]) -> ParsedEvent:
    """Parse an event: a piece of output, an error, or anything else; for the client and for cassettes."""
    fields = data if isinstance(data, dict) else json_object(data)
    if name == "error" and fields is not None:
        return ParsedEvent(name, data, fields)
    text = (fields or {}).get("output")
    if not isinstance(text, str):
        return ParsedEvent("", data, fields or {})
    return ParsedEvent("output", data, fields or {}, text, "output")


def output(chunks: Iterable[bytes], position: OutputPosition) -> Iterator[str]:
    """Yield the output of a stream from ``position`` on.

    Raises :class:`ReconnectError`, or the error that the service reports in an event. Anything that is not an
    event of the API is ignored.
    """
    position.is_resumed = position.offset > 0
    for name, data in sse.events(chunks):
        event = read_event(name, data)
        if event.is_end:
            code, message = event.fields.get("code"), event.fields.get("message")
            error = decode_error_event(code, str(message))
            raise ReconnectError(error.message) if isinstance(error, RequestTimeoutError) else error
        if event.text is not None:
            offset = event.fields.get("offset")
            if text := position.new_text(event.text, offset if type(offset) is int and offset >= 0 else None):
                yield text
