"""How the service says no."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from buntime._http import Response
from buntime.service.responses import json_response


class ServiceError(Exception):
    """An answer with an error status, raised by whoever finds out.

    ``details`` is a JSON object; ``headers`` go beside the answer's own.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        *,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.headers = tuple(headers)

    def envelope(self) -> dict[str, Any]:
        """Return the error body."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}

    def response(self) -> Response:
        """Return the answer."""
        return json_response(self.envelope(), status=self.status, headers=self.headers)


def invalid(field: str | None, message: str, **details: Any) -> ServiceError:
    """Return a 400 ``invalid_request`` about one ``field`` of the request, or about all of it."""
    named = {} if field is None else {"field": field}
    return ServiceError(400, "invalid_request", message, {**named, **details})


def session_not_found(session_id: str) -> ServiceError:
    """Return the 404 for a session that never was, was deleted, or has expired."""
    return ServiceError(
        404,
        "session_not_found",
        f"Session {session_id} does not exist or has expired",
        {"sessionId": session_id},
    )


def file_not_found(path: str) -> ServiceError:
    """Return the 404 for a path that names nothing."""
    return ServiceError(404, "file_not_found", f"No such file or directory: {path}", {"path": path})
