"""Error responses as exceptions."""

from __future__ import annotations

import json
import time
from datetime import timezone
from typing import Any

import attrs

from buntime._http import BufferedResponse, Headers, Request
from buntime._support.terminal import printable
from buntime.errors import (
    APIStatusError,
    AuthenticationError,
    BuntimeError,
    ConflictError,
    ExecutionTimeoutError,
    InvalidRequestError,
    InvalidResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
    ResourceLimitError,
    ServerError,
    SessionFileNotFoundError,
    SessionNotFoundError,
    UnprocessableEntityError,
)
from buntime.wire import constants
from buntime.wire.json import json_object
from buntime.wire.responses import rate_limit

CLASS_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    507: ResourceLimitError,
}
_BY_CODE: dict[str, type[BuntimeError]] = {
    constants.INVALID_REQUEST: InvalidRequestError,
    "unauthorized": AuthenticationError,
    constants.SESSION_NOT_FOUND: SessionNotFoundError,
    constants.FILE_NOT_FOUND: SessionFileNotFoundError,
    constants.EXECUTION_TIMEOUT: ExecutionTimeoutError,
    "idempotency_conflict": ConflictError,
    constants.RATE_LIMIT_EXCEEDED: RateLimitError,
    "memory_limit_exceeded": ResourceLimitError,
    constants.DISK_FULL: ResourceLimitError,
}
_NOT_FOUND_CODES = frozenset(
    {constants.SESSION_NOT_FOUND, constants.INVALID_REQUEST, constants.FILE_NOT_FOUND}
)
_MESSAGE_KEYS = ("message", "detail", "error")
_NOT_IMPLEMENTED = 501
_UNAVAILABLE = 503


@attrs.frozen
class ErrorBody:
    """The content of an error body; ``enveloped`` if it has the documented form."""

    message: str
    code: str | None = None
    details: Any = None
    enveloped: bool = False


def decode_error(request: Request, response: BufferedResponse) -> BuntimeError:
    """Return the error for a response that is not 2xx."""
    status = response.status or 0
    if status < 400:
        target = response.headers.get("Location")
        return InvalidResponseError(
            f"the service returned HTTP {status}, a redirect to {target}; redirects are not followed"
            if target
            else f"the service returned HTTP {status}, which the API does not use",
            status=status,
            body=response.body[:500],
            request_id=response.headers.get("X-Request-Id"),
        )
    body = parse_error_body(response.body)
    error = _error(_class_of(request, status, body), request, response, body)
    if status == 407:
        error.hint = (
            "The proxy requires a user name and password: put them into its URL, http://USER:PASSWORD@HOST"
        )
    return error


def decode_error_event(request: Request, data: bytes) -> BuntimeError:
    """Return the error for an ``error`` event: it has no status, so its code decides."""
    body = parse_error_body(data)
    kind = _BY_CODE.get(body.code or "", APIStatusError)
    return _error(kind, request, BufferedResponse(None, Headers(), data), body)


def is_missing_route(error: BuntimeError) -> bool:
    """Whether a 404 or 405 means that the service does not have the route."""
    return error.status in {404, 405} and error.code not in _BY_CODE


def is_session_limit(error: BuntimeError) -> bool:
    """Whether a session was not created because the plan's number of sessions is reached.

    The API documents no code for it, so any 429 to a creation counts, unless its code is about
    the rate: waiting for a session to end is right for both.
    """
    if error.code == constants.SESSION_LIMIT:
        return True
    creating = error.call == "POST /sessions/create"
    return (
        creating
        and isinstance(error, RateLimitError)
        and error.code
        not in {
            None,
            constants.RATE_LIMIT_EXCEEDED,
        }
    )


def parse_error_body(content: bytes) -> ErrorBody:
    """Parse an error body of any form."""
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        text = content[:200].decode("utf-8", "replace").strip()
        return ErrorBody(f"the body is not an error of the API: {text!r}" if text else "the body is empty")
    inner = body.get("error", body) if isinstance(body, dict) else None
    if isinstance(inner, str):
        return ErrorBody(inner, _text(body.get("code")), body.get("details"))
    description = f"the body is {json.dumps(body)[:200]}"
    if not isinstance(inner, dict):
        return ErrorBody(description)
    message = next((inner[key] for key in _MESSAGE_KEYS if isinstance(inner.get(key), str)), None)
    return ErrorBody(
        message or description, _text(inner.get("code")), inner.get("details"), enveloped=inner is not body
    )


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def _class_of(request: Request, status: int, body: ErrorBody) -> type[BuntimeError]:
    if status == 408 and body.code == constants.EXECUTION_TIMEOUT:
        return ExecutionTimeoutError
    if status == 404 and body.enveloped:
        if body.code == constants.FILE_NOT_FOUND:
            return SessionFileNotFoundError
        unknown_read = request.path == "/files/read" and body.code not in _NOT_FOUND_CODES
        if _names_session(request) and not unknown_read:
            return SessionNotFoundError
    return CLASS_BY_STATUS.get(status, ServerError if status >= 500 else APIStatusError)


def _names_session(request: Request) -> bool:
    if request.path.startswith("/sessions/") and request.path != "/sessions/create":
        return True
    return "sessionId" in dict(request.query) or "sessionId" in _json_of(request)


def _json_of(request: Request) -> dict[str, Any]:
    return json_object(request.content) or {}


def _error(
    kind: type[BuntimeError], request: Request, response: BufferedResponse, body: ErrorBody
) -> BuntimeError:
    status = response.status
    fields: dict[str, Any] = {
        "code": body.code,
        "status": status,
        "details": body.details,
        "retry_after": retry_after(response.headers),
        "request_id": response.headers.get("X-Request-Id"),
        "maybe_executed": _maybe_executed(request, status, kind, body),
    }
    if kind is SessionFileNotFoundError:
        fields["path"] = dict(request.query).get("path") or _json_of(request).get("path")
    elif kind is RateLimitError:
        fields["rate_limit"] = rate_limit(response.headers)
    title = " ".join(str(part) for part in (status, body.code) if part is not None)
    text = f"the service returned {title}: {body.message}" if title else body.message
    error = kind(printable(text), **fields)
    if status == _NOT_IMPLEMENTED:
        error.hint = ""
    return error


def _maybe_executed(request: Request, status: int | None, kind: type[BuntimeError], body: ErrorBody) -> bool:
    if request.method == "GET":
        return False
    if status is None or issubclass(kind, ExecutionTimeoutError):
        return True
    if status == _UNAVAILABLE:
        # A gateway answers so too when it lost the connection to a service that was already at work.
        return not body.enveloped or body.code is None
    return status == 408 or (status >= 500 and status != _NOT_IMPLEMENTED)


def retry_after(headers: Headers) -> float | None:
    """Return ``Retry-After`` in seconds from now; the header holds a number or an HTTP date."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            date = parsedate_to_datetime(value)
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
        # An HTTP date without a zone, or with the zone -0000, is in UTC.
        seconds = (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp() - time.time()
    return max(0.0, seconds) if seconds == seconds else None
