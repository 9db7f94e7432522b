"""An answer that says no, as the error it is."""

from __future__ import annotations

import json
import time
from datetime import timezone
from typing import Any

import attrs

from buntime._http import Headers, Request
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
)
from buntime.wire.buffered import BufferedResponse
from buntime.wire.json import json_object
from buntime.wire.responses import rate_limit

EXECUTION_TIMEOUT = "execution_timeout"
FILE_NOT_FOUND = "file_not_found"

_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: InvalidRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: RequestTimeoutError,
    409: ConflictError,
    429: RateLimitError,
    507: ResourceLimitError,
}
_BY_CODE: dict[str, type[BuntimeError]] = {
    "invalid_request": InvalidRequestError,
    "unauthorized": AuthenticationError,
    "session_not_found": SessionNotFoundError,
    FILE_NOT_FOUND: SessionFileNotFoundError,
    EXECUTION_TIMEOUT: ExecutionTimeoutError,
    "idempotency_conflict": ConflictError,
    "rate_limit_exceeded": RateLimitError,
    "memory_limit_exceeded": ResourceLimitError,
    "disk_full": ResourceLimitError,
}
_MESSAGE_KEYS = ("message", "detail", "error")
_SESSION_LIMIT = "concurrent_session_limit"
_NOT_FOUND_CODES = frozenset({"session_not_found", "invalid_request", FILE_NOT_FOUND})
_NOT_IMPLEMENTED = 501
_NOTHING_DONE = frozenset({429, 501, 503})


@attrs.frozen
class ServiceError:
    """What an error body says; ``enveloped`` where it has the documented form."""

    message: str
    code: str | None = None
    details: Any = None
    enveloped: bool = False


def refused(request: Request, answer: BufferedResponse) -> BuntimeError:
    """Return the error for an answer that is not 2xx."""
    status = answer.status or 0
    if status < 400:
        return _redirect(answer, status)
    refusal = read_refusal(answer.body)
    kind = _class_of(request, status, refusal)
    error = _error(kind, request, answer, refusal)
    if status == 407:
        error.hint = (
            "The proxy asks for a user name and password: put them into its URL, http://USER:PASSWORD@HOST"
        )
    return error


def stream_refused(request: Request, body: bytes) -> BuntimeError:
    """Return the error for an ``error`` event, which has no status: its code decides."""
    refusal = read_refusal(body)
    kind = _BY_CODE.get(refusal.code or "", APIStatusError)
    return _error(kind, request, BufferedResponse(None, Headers(), body), refusal)


def route_is_missing(error: BuntimeError) -> bool:
    """Whether a 404 or 405 says that the route, not what it names, does not exist."""
    return error.status in {404, 405} and error.code not in _BY_CODE


def is_session_limit(error: BuntimeError) -> bool:
    """Whether a session was refused because as many are open as the plan allows.

    No code is published for it. A 429 for another reason than the rate is taken for it too, where it answers
    a creation: waiting for a session to end is right for both.
    """
    if error.code == _SESSION_LIMIT:
        return True
    creating = error.call == "POST /sessions/create"
    return creating and isinstance(error, RateLimitError) and error.code not in {None, "rate_limit_exceeded"}


def read_refusal(body: bytes) -> ServiceError:
    """Read an error body of any shape."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:200].decode("utf-8", "replace").strip()
        return ServiceError(f"the body is not the API's: {text!r}" if text else "the body is empty")
    whole = f"the body is {json.dumps(found)[:200]}"
    if not isinstance(found, dict):
        return ServiceError(whole)
    inner = found.get("error", found)
    if isinstance(inner, str):
        return ServiceError(inner, _text(found.get("code")), found.get("details"))
    if not isinstance(inner, dict):
        return ServiceError(whole)
    said = next((inner[key] for key in _MESSAGE_KEYS if isinstance(inner.get(key), str)), None)
    return ServiceError(
        said or whole, _text(inner.get("code")), inner.get("details"), enveloped=inner is not found
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None if value is None else str(value)


def _redirect(answer: BufferedResponse, status: int) -> InvalidResponseError:
    target = answer.headers.get("Location")
    return InvalidResponseError(
        f"the service answered {status}, a redirect to {target}; redirects are not followed"
        if target
        else f"the service answered {status}, which is no answer of the API",
        status=status,
        body=answer.body[:500],
        request_id=answer.headers.get("X-Request-Id"),
    )


def _class_of(request: Request, status: int, refusal: ServiceError) -> type[BuntimeError]:
    if status == 408 and refusal.code == EXECUTION_TIMEOUT:
        return ExecutionTimeoutError
    if status == 404 and refusal.enveloped:
        if refusal.code == FILE_NOT_FOUND:
            return SessionFileNotFoundError
        unknown_read = request.path == "/files/read" and refusal.code not in _NOT_FOUND_CODES
        if _names_session(request) and not unknown_read:
            return SessionNotFoundError
    return _BY_STATUS.get(status, ServerError if status >= 500 else APIStatusError)


def _names_session(request: Request) -> bool:
    if request.path.startswith("/sessions/") and request.path != "/sessions/create":
        return True
    return "sessionId" in dict(request.query) or "sessionId" in _body(request)


def _body(request: Request) -> dict[str, Any]:
    return json_object(request.body or b"") or {}


def _error(
    kind: type[BuntimeError], request: Request, answer: BufferedResponse, refusal: ServiceError
) -> BuntimeError:
    status = answer.status
    said = " ".join(str(part) for part in (status, refusal.code) if part is not None)
    fields: dict[str, Any] = {
        "code": refusal.code,
        "status": status,
        "details": refusal.details,
        "retry_after": retry_after(answer.headers),
        "request_id": answer.headers.get("X-Request-Id"),
        "maybe_executed": _may_have_acted(request, status, kind),
    }
    if kind is SessionFileNotFoundError:
        fields["path"] = dict(request.query).get("path") or _body(request).get("path")
    elif kind is RateLimitError:
        fields["rate_limit"] = rate_limit(answer.headers)
    error = kind(f"the service answered {said}: {refusal.message}" if said else refusal.message, **fields)
    if status == _NOT_IMPLEMENTED:
        error.hint = ""
    return error


def _may_have_acted(request: Request, status: int | None, kind: type[BuntimeError]) -> bool:
    if request.method == "GET":
        return False
    if status is None or issubclass(kind, ExecutionTimeoutError):
        return True
    return status == 408 or (status >= 500 and status not in _NOTHING_DONE)


def retry_after(headers: Headers) -> float | None:
    """Return ``Retry-After`` in seconds from now: a number, or an HTTP date."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            when = parsedate_to_datetime(value)
        except (TypeError, ValueError, IndexError, OverflowError):
            return None
        # An HTTP date without a zone, or with the zone -0000, is in UTC.
        seconds = (when if when.tzinfo else when.replace(tzinfo=timezone.utc)).timestamp() - time.time()
    return max(0.0, seconds) if seconds == seconds else None
