"""The service: requests in, responses out."""

from __future__ import annotations

import hmac
import secrets
import string
from typing import Callable, Optional
from urllib.parse import unquote

from buntime._http import Request, Response, Secret
from buntime.service.clock import Clock, SystemClock
from buntime.service.errors import ServiceError
from buntime.service.executors import Executor
from buntime.service.failures import refusal_for
from buntime.service.requests import header
from buntime.service.sessions.idempotency import Idempotency
from buntime.service.sessions.limits import plan_named
from buntime.service.sessions.rate_limit import RateLimiter
from buntime.service.sessions.routes import executions, files, sessions
from buntime.service.sessions.routes.context import Call, Model
from buntime.service.sessions.sessions import Session, Sessions
from buntime.service.workspace.base import Workspace

Handler = Callable[[Model, Call], Response]

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
_ID_LETTERS = string.ascii_lowercase + string.digits


def new_session_id() -> str:
    """Return ``ses_`` and 18 random letters and digits, lower case because they become a host name."""
    return "ses_" + "".join(secrets.choice(_ID_LETTERS) for _ in range(18))


class Service:
    """What buntime.sh does, as its documentation says.

    ``executor`` runs what sessions execute; ``workspaces`` makes the workspace of a new session from
    its id. ``plan`` is ``"free"``, ``"paid"``, ``"enterprise"``, or ``None`` for the bounds that hold
    for everyone and no quota. With an ``api_key`` every request must carry it, without one any may
    come. ``ids`` makes session ids, never the same twice. Safe to use from several threads: nothing
    is locked while an execution runs.

    The service starts no thread of its own: expiry and deep sleep are seen to at each request.
    """

    def __init__(
        self,
        executor: Executor,
        workspaces: Callable[[str], Workspace],
        *,
        clock: Optional[Clock] = None,
        plan: Optional[str] = None,
        api_key: Optional[str] = None,
        ids: Callable[[], str] = new_session_id,
    ) -> None:
        clock = SystemClock() if clock is None else clock
        limits = plan_named(plan)
        self._api_key = None if api_key is None else Secret(api_key)
        self._rates = (
            None
            if limits.requests_per_minute is None
            else RateLimiter(limits.requests_per_minute, clock, plan=plan)
        )
        self._model = Model(
            executor,
            Sessions(executor, workspaces, clock=clock, plan=limits, ids=ids),
            Idempotency(clock),
            limits,
        )

    @property
    def sessions(self) -> dict[str, Session]:
        """The sessions that are alive, by id, in the order they were created."""
        return self._model.sessions.live()

    def handle(self, request: Request) -> Response:
        """Return the answer to a request; of a streamed execution, as soon as it has started.

        Every failure is an answer, with one exception: ``TimeoutError``, here and from ``chunks``,
        where an execution is slower than ``request.read_timeout``.
        """
        try:
            response = self._answer(request)
        except TimeoutError:
            raise
        except Exception as error:
            response = refusal_for(error).response()
        return response if self._rates is None else _with_headers(response, self._rates.headers())

    def close(self) -> None:
        """End all sessions and close the executor. Idempotent."""
        self._model.sessions.close()
        self._model.executor.close()

    def _answer(self, request: Request) -> Response:
        self._authorize(request)
        if self._rates is not None:
            self._rates.take()
        self._model.sessions.sweep()
        handler, session_id = _route(request)
        return handler(self._model, Call(request, session_id))

    def _authorize(self, request: Request) -> None:
        if self._api_key is None:
            return
        scheme, _, key = (header(request, "Authorization") or "").partition(" ")
        given = key.strip().encode("utf-8", "surrogatepass")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given, self._api_key.encode()):
            raise ServiceError(
                401,
                "unauthorized",
                "The API key is missing or wrong",
                headers=[("WWW-Authenticate", "Bearer")],
            )


def is_call(call: str) -> bool:
    """Whether the API has a call such as ``POST /execute``."""
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
            raise ServiceError(404, "route_not_found", f"There is no {route}", {"path": route})
        route, session_id = _SESSION_ROUTE, unquote(last)
    methods = ROUTES[route]
    if request.method not in methods:
        allowed = ", ".join(methods)
        raise ServiceError(
            405,
            "method_not_allowed",
            f"{request.path} takes {allowed}, not {request.method}",
            {"method": request.method, "allowed": list(methods)},
            headers=[("Allow", allowed)],
        )
    return methods[request.method], session_id


def _with_headers(response: Response, headers: list[tuple[str, str]]) -> Response:
    return Response(
        response.status, [*response.headers.items(), *headers], response.chunks, on_close=response.close
    )
