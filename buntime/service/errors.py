"""The errors of the service: their codes, statuses and JSON form."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from buntime._http import Response
from buntime.service.responses import json_response

STATUS_OF_CODE = {
    "invalid_request": 400,
    "not_text": 400,
    "unauthorized": 401,
    "concurrent_session_limit": 403,
    "forbidden_host": 403,
    "plan_limit": 403,
    "file_not_found": 404,
    "route_not_found": 404,
    "session_not_found": 404,
    "method_not_allowed": 405,
    "idempotency_conflict": 409,
    "file_too_large": 413,
    "request_too_large": 413,
    "rate_limit_exceeded": 429,
    "execution_lost": 500,
    "internal_error": 500,
    "unknown_helper": 501,
    "unscripted_call": 501,
    "unscripted_execution": 501,
    "shutting_down": 503,
    "disk_full": 507,
    "memory_limit_exceeded": 507,
}
"""Every error code of the model, with the HTTP status it is sent with."""

logger: logging.Logger = logging.getLogger("buntime.service")


class ServiceError(Exception):
    """An error response. ``code`` decides the status; ``headers`` are added to the response."""

    def __init__(
        self,
        code: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status: int = STATUS_OF_CODE[code]
        self.code = code
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.headers: tuple[tuple[str, str], ...] = tuple(headers)

    def envelope(self) -> dict[str, Any]:
        """Return the body of the response."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}

    def response(self) -> Response:
        """Return the response."""
        return json_response(self.envelope(), status=self.status, headers=self.headers)


def invalid(field: str | None, message: str, **details: Any) -> ServiceError:
    """Return a 400 ``invalid_request`` about one ``field`` of the request, or about the request itself."""
    subject = {} if field is None else {"field": field}
    return ServiceError("invalid_request", message, {**subject, **details})


def session_not_found(session_id: str) -> ServiceError:
    """Return the 404 for a session that never existed, was deleted, or has expired."""
    message = f"Session {session_id} does not exist or has expired"
    return ServiceError("session_not_found", message, {"sessionId": session_id})


def session_lost(session_id: str) -> ServiceError:
    """Return the 404 for a session whose files another program removed."""
    return ServiceError(
        "session_not_found",
        f"Session {session_id} has lost its files: another program removed its folder, as one that cleans up "
        "temporary files may",
        {"sessionId": session_id, "reason": "workspace_removed"},
    )


def file_not_found(path: str) -> ServiceError:
    """Return the 404 for a path without a file or folder."""
    return ServiceError("file_not_found", f"No such file or directory: {path}", {"path": path})


def disk_full(message: str, **details: Any) -> ServiceError:
    """Return the 507 for files that do not fit."""
    return ServiceError("disk_full", message, details)


def as_service_error(error: Exception) -> ServiceError:
    """Return ``error`` as the service reports it.

    An unexpected exception is a bug in the service or its executor: it is logged with its traceback and
    becomes 500 ``internal_error``, whose message and details name its type.
    """
    if isinstance(error, ServiceError):
        return error
    logger.error("The service failed", exc_info=error)
    kind = type(error).__name__
    return ServiceError("internal_error", f"The service failed: {kind}: {error}", {"type": kind})
