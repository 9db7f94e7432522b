"""The service: requests in, responses out."""

from __future__ import annotations

import secrets
import string
from typing import Callable, Optional
from urllib.parse import unquote

from buntime._http import Request, Response
from buntime.service.clock import ServiceClock, SystemClock
from buntime.service.errors import ServiceError, as_service_error
from buntime.service.executors import Executor
from buntime.service.idempotency import Idempotency
from buntime.service.sessions.limits import plan_named
from buntime.service.sessions.rate_limit import RateLimiter
from buntime.service.sessions.routes import executions, files, sessions
from buntime.service.sessions.routes.context import Model, RequestContext
from buntime.service.sessions.sessions import LiveSession, SessionTable
from buntime.service.workspace.base import Workspace

Handler = Callable[[Model, RequestContext], Response]

ROUTES: dict[str, dict[str, Handler]] = {
    "/sessions/create": {"POST": sessions.create},
    "/sessions/{sessionId}": {"GET": sessions.info, "DELETE": sessions.delete},
    "/execute": {"POST": executions.execute},
    "/execution/kill": {"POST": executions.kill},
    "/files/write": {"POST": files.write},
    "/files/list": {"GET": files.list_folder},
    "/files/read": {"GET": files.read},
}
"""The handlers by path and method."""

_SESSION_ROUTE = "/sessions/{sessionId}"
_KEY_LIFETIME = 24 * 3600.0
_ID_LETTERS = string.ascii_lowercase + string.digits


def new_session_id() -> str:
    """Return ``ses_`` and 18 random letters and digits, lower case because they become a host name."""
    return "ses_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(18))


class Service:
    """The documented behaviour of buntime.sh, without authentication.

    ``executor`` runs the code of sessions; ``workspaces`` returns the workspace of a new session for its
    id. ``plan`` is ``"free"``, ``"paid"``, ``"enterprise"``, or ``None`` for the limits that hold for
    everyone and no quota. ``ids`` returns session ids, never the same twice. Safe to use from several
    threads: no lock is held while an execution runs.

    The service starts no thread: sessions expire and fall asleep when a request arrives.
    """

    def __init__(
        self,
        executor: Executor,
        workspaces: Callable[[str], Workspace],
        *,
        clock: Optional[ServiceClock] = None,
        plan: Optional[str] = None,
        ids: Callable[[], str] = new_session_id,
    ) -> None:
        clock = SystemClock() if clock is None else clock
        limits = plan_named(plan)
        rate = limits.requests_per_minute
        self._rates = None if rate is None else RateLimiter(rate, clock, plan=plan)
        self._model = Model(
            executor,
            SessionTable(executor, workspaces, clock=clock, plan=limits, ids=ids),
            Idempotency(clock, _KEY_LIFETIME),
            limits,
        )

    @property
    def sessions(self) -> dict[str, LiveSession]:
        """The sessions that are alive, by id, in the order they were created."""
        return self._model.sessions.live()

    def handle(self, request: Request) -> Response:
        """Return the response to a request; for a streamed execution, as soon as it has started.

        Every failure is a response, except ``TimeoutError``: it is raised here and from ``chunks`` if an
        execution is slower than ``request.read_timeout``.
        """
        try:
            if self._rates is not None:
                self._rates.count()
            self._model.sessions.sweep()
            handler, session_id = _route(request)
            response = handler(self._model, RequestContext(request, session_id))
        except TimeoutError:
            raise
        except Exception as error:
            response = as_service_error(error).response()
        if self._rates is None:
            return response
        headers = [*response.headers.items(), *self._rates.headers()]
        return Response(response.status, headers, response.chunks, on_close=response.close)

    def close(self) -> None:
        """End all sessions and close the executor. Idempotent."""
        self._model.sessions.close()
        self._model.executor.close()


def is_route(call: str) -> bool:
    """Whether the API has a method and path such as ``POST /execute``."""
    method, _, path = call.partition(" ")
    try:
        _route(Request(method, path))
    except ServiceError:
        return False
    return True


def _route(request: Request) -> tuple[Handler, str]:
    """Return the handler of a request, and the session id in its path or ``""``."""
    route, session_id = request.path, ""
    if route not in ROUTES:
        folder, _, last = route.rpartition("/")
        if folder != "/sessions" or not last:
            raise ServiceError("route_not_found", f"There is no {route}", {"path": route})
        route, session_id = _SESSION_ROUTE, unquote(last)
    methods = ROUTES[route]
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise ServiceError(
            "method_not_allowed",
            f"{request.path} takes {allowed}, not {request.method}",
            {"method": request.method, "allowed": list(methods)},
            headers=[("Allow", allowed)],
        )
    return methods[request.method], session_id
