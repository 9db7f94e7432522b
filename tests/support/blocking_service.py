"""A service whose executions block until a test releases them, on the real clock."""

from __future__ import annotations

import json
import threading
from typing import Any, Callable, Optional

from buntime.transport import FunctionTransport, Request, Response
from tests.support import responses

_TIMEOUT = 30.0
HOLD = "hold"

ResponseFactory = Callable[[], Response]


class BlockingService:
    """Numbered sessions, and executions whose output is their code.

    An execution whose code begins with ``hold`` blocks until :meth:`let_go`, or ends as killed when its
    session is deleted. ``plan`` limits the number of open sessions. :meth:`answer_next` prepares other
    responses.
    """

    def __init__(self, *, plan: Optional[int] = None) -> None:
        self.plan = plan
        self.transport = FunctionTransport(self._handle)
        self.created: list[str] = []
        """The ids of all sessions that were created."""
        self.open: set[str] = set()
        self.executed: list[tuple[str, str]] = []
        """The session and the code of each execution, in the order of their start."""
        self.calls: list[str] = []
        """Every request, as ``METHOD path``."""
        self.responded: list[str] = []
        """The requests that got a response."""
        self.bodies: list[Any] = []
        self._blocked: set[str] = set()
        self._released = False
        self._prepared: dict[str, list[ResponseFactory]] = {}
        self._changed = threading.Condition()

    @property
    def codes(self) -> list[str]:
        """The code of each execution, in the order of their start."""
        return [code for _, code in self.executed]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until a condition holds."""
        with self._changed:
            assert self._changed.wait_for(condition, _TIMEOUT), f"timed out: {vars(self)}"

    def wait_until_blocked(self, count: int) -> None:
        """Wait until this many executions block."""
        self.wait_for(lambda: len(self._blocked) >= count)

    def release_after(self, count: int) -> None:
        """Release all executions as soon as this many have started."""

        def run() -> None:
            self.wait_for(lambda: len(self.executed) >= count)
            self.release()

        threading.Thread(target=run).start()

    def release(self) -> None:
        """Release all executions, including later ones."""
        with self._changed:
            self._released = True
            self._changed.notify_all()

    def end(self, session_id: str) -> None:
        """End a session, as the service or another client might."""
        with self._changed:
            self.open.discard(session_id)
            self._changed.notify_all()

    def respond_next(self, call: str, *prepared: ResponseFactory) -> None:
        """Return these responses to the next calls such as ``POST /execute``, instead of the usual ones."""
        with self._changed:
            self._prepared.setdefault(call, []).extend(prepared)

    def _handle(self, request: Request) -> Response:
        call = f"{request.method} {request.path}"
        body = json.loads(request.content or b"{}")
        with self._changed:
            self.calls.append(call)
            self.bodies.append(body)
            if call == "POST /execute":
                self.executed.append((body["sessionId"], body.get("code") or body["command"]))
            self._changed.notify_all()
            prepared = self._prepared.get(call)
            make_response = prepared.pop(0) if prepared else None
        response = self._default_response(request, body) if make_response is None else make_response()
        with self._changed:
            self.responded.append(call)
            self._changed.notify_all()
        return response

    def _default_response(self, request: Request, body: Any) -> Response:
        call = f"{request.method} {request.path}"
        if call == "POST /sessions/create":
            return self._create()
        if call == "POST /execute":
            return self._execute(body["sessionId"], body.get("code") or body["command"])
        return self._other(request)

    def _create(self) -> Response:
        with self._changed:
            if self.plan is not None and len(self.open) >= self.plan:
                return responses.error(403, "concurrent_session_limit")
            session_id = f"ses_{len(self.created) + 1}"
            self.created.append(session_id)
            self.open.add(session_id)
            self._changed.notify_all()
        return responses.as_json({**responses.CREATED, "sessionId": session_id})

    def _execute(self, session_id: str, code: str) -> Response:
        with self._changed:
            if session_id not in self.open:
                return responses.error(404, "session_not_found")
            if code.startswith(HOLD):
                self._blocked.add(code)
                self._changed.notify_all()
                let_go = self._changed.wait_for(
                    lambda: self._released or session_id not in self.open, _TIMEOUT
                )
                assert let_go, "an execution blocked for too long"
                self._blocked.discard(code)
            exit_code = 0 if session_id in self.open else 137
        return responses.as_json(responses.result(stdout=code, exitCode=exit_code))

    def _other(self, request: Request) -> Response:
        session_id = request.path.rpartition("/")[2]
        with self._changed:
            if session_id not in self.open:
                return responses.error(404, "session_not_found")
            if request.method == "DELETE":
                self.open.discard(session_id)
                self._changed.notify_all()
                return responses.as_json(responses.DELETED)
        return responses.as_json({**responses.INFO, "sessionId": session_id})
