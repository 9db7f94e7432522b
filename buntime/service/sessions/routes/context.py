"""Shared by the routes: the model they work on, the request, and the errors of a workspace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import attrs

from buntime._http import Request
from buntime.service.errors import disk_full, file_not_found, invalid, session_lost, session_not_found
from buntime.service.executors import Executor
from buntime.service.idempotency import Idempotency
from buntime.service.requests import RequestFields, json_object
from buntime.service.sessions.limits import Plan
from buntime.service.sessions.sessions import LiveSession, SessionTable
from buntime.service.workspace.base import DiskFullError, PathError, TooLargeError, WorkspaceGone
from buntime.service.workspace.paths import WORKSPACE


@attrs.frozen
class Model:
    """The parts of the service that routes work on."""

    executor: Executor
    sessions: SessionTable
    idempotency: Idempotency
    plan: Plan

    def session(self, fields: RequestFields) -> LiveSession:
        """Return the session that ``sessionId`` names; the request counts as using it."""
        session = self.sessions.get(fields.text("sessionId"))
        session.touch()
        return session


class RequestContext:
    """A request; its body and query are parsed on use. ``session_id`` is the one in its path, if any."""

    def __init__(self, request: Request, session_id: str = "") -> None:
        self.request = request
        self.session_id = session_id

    def fields(self) -> RequestFields:
        """Return the fields of the JSON body; of an empty body, none."""
        return RequestFields(json_object(self.request))

    def query(self) -> RequestFields:
        """Return the fields of the query; the last value of a name that occurs twice."""
        return RequestFields(dict(self.request.query))


@contextmanager
def workspace_errors(session: LiveSession, plan: Plan, path: str, *, field: str = "path") -> Iterator[None]:
    """Convert the exceptions of a workspace about ``path`` to the service's errors.

    A path that cannot be used is 400, a missing one 404 ``file_not_found``, a file that is too large
    413, a full disk 507. If the session has ended in the meantime, every error is a 404.
    """
    try:
        yield
    except WorkspaceGone as error:
        raise (session_not_found if session.ended else session_lost)(session.id) from error
    except (PathError, OSError, TooLargeError, DiskFullError) as error:
        if session.ended:
            raise session_not_found(session.id) from error
        subject = getattr(error, "filename", None) or path
        if isinstance(error, PathError):
            raise invalid(field, str(error), path=path) from error
        if isinstance(error, TooLargeError):
            plan.check_file_size(path, error.size)
        if isinstance(error, DiskFullError):
            raise disk_full(f"The service's disk is full: {error}", path=path) from error
        if isinstance(error, IsADirectoryError):
            raise invalid(field, f"{subject or WORKSPACE} is a directory", path=subject) from error
        if isinstance(error, NotADirectoryError):
            message = f"{subject}: a file is in the place of a directory of the path"
            raise invalid(field, message, path=subject) from error
        if isinstance(error, FileNotFoundError):
            raise file_not_found(subject) from error
        raise
