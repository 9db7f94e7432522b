"""One call to the service, and what its handlers share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import attrs

from buntime._http import Request
from buntime.service.errors import ServiceError, file_not_found, invalid, session_not_found
from buntime.service.executors import Executor
from buntime.service.requests import Fields, json_object
from buntime.service.sessions.idempotency import Idempotency
from buntime.service.sessions.limits import Plan
from buntime.service.sessions.sessions import Session, Sessions
from buntime.service.workspace.base import DiskFullError, PathError, TooLargeError, WorkspaceGone
from buntime.service.workspace.paths import WORKSPACE


@attrs.frozen
class Model:
    """The parts of the service that handlers work on."""

    executor: Executor
    sessions: Sessions
    idempotency: Idempotency
    plan: Plan

    def session(self, fields: Fields) -> Session:
        """Return the session that ``sessionId`` names; the call counts as using it."""
        session = self.sessions.get(fields.text("sessionId"))
        session.touch()
        return session


class Call:
    """A request, its body and query read when they are asked for.

    ``session_id`` is what the path names, for the routes that have one.
    """

    def __init__(self, request: Request, session_id: str = "") -> None:
        self.request = request
        self.session_id = session_id

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """The JSON object of the body, ``{}`` for an empty body."""
        return json_object(self.request)

    @property
    def fields(self) -> Fields:
        """The fields of the body."""
        return Fields(self.body)

    @property
    def query(self) -> Fields:
        """The fields of the query; of a name that comes twice, the last."""
        return Fields(dict(self.request.query))


@contextmanager
def workspace_refusals(session: Session, plan: Plan, path: str, *, field: str = "path") -> Iterator[None]:
    """Turn what a workspace raises over ``path`` into what the service answers.

    A path that cannot be used is 400, a missing one 404 ``file_not_found``, a file that is too large
    413, a full disk 507; and whatever it is, a session that ended meanwhile is 404.
    """
    try:
        yield
    except WorkspaceGone as error:
        raise session_not_found(session.id) from error
    except (PathError, OSError, TooLargeError, DiskFullError) as error:
        if session.ended:
            raise session_not_found(session.id) from error
        refusal = _refusal_of(error, plan, path, field)
        if refusal is None:
            raise
        raise refusal from error


def _refusal_of(error: Exception, plan: Plan, path: str, field: str) -> ServiceError | None:
    if isinstance(error, PathError):
        return invalid(field, str(error), path=path)
    if isinstance(error, TooLargeError):
        return plan.file_too_large(path, error.size)
    if isinstance(error, DiskFullError):
        return ServiceError(507, "disk_full", f"The service's disk is full: {error}", {"path": path})
    about = getattr(error, "filename", None) or path
    if isinstance(error, IsADirectoryError):
        return invalid(field, f"{about or WORKSPACE} is a directory", path=about)
    if isinstance(error, NotADirectoryError):
        return invalid(field, f"{about}: what would have to be a directory is a file", path=about)
    return file_not_found(about) if isinstance(error, FileNotFoundError) else None
