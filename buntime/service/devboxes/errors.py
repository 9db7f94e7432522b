"""The errors of the service: a status, and a body with ``message`` and ``code``."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from buntime._http import Response
from buntime.service.errors import as_service_error
from buntime.service.responses import json_response

_CODES = {400: "invalid_request", 408: "timeout", 503: "unavailable"}
"""The codes that are not the names of their statuses, such as ``not_found``."""


class ApiError(Exception):
    """An error response; ``status`` decides the code."""

    def __init__(self, status: int, message: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code: str = _CODES.get(status) or HTTPStatus(status).name.lower()
        self.message = message
        self.headers: tuple[tuple[str, str], ...] = tuple(headers)


def invalid(message: str) -> ApiError:
    """Return a 400: the request cannot be carried out as it is."""
    return ApiError(400, message)


def missing(kind: str, name: str) -> ApiError:
    """Return the 404 for something that does not exist."""
    return ApiError(404, f"{kind} {name} does not exist")


def error_response(error: Exception) -> Response:
    """Return the response for any exception; one that is not expected is logged and becomes a 500."""
    known = error if isinstance(error, ApiError) else as_service_error(error)
    body = {"message": known.message, "code": known.code}
    return json_response(body, status=known.status, headers=known.headers)
