"""A service whose executions a test holds and lets go, on the real clock."""

from __future__ import annotations

import json
import threading
from typing import Any, Callable, Optional

from buntime.transport import FunctionTransport, Request, Response
from tests.support import responses

_PATIENCE = 30.0
HOLD = "hold"

Answering = Callable[[], Response]


class HeldService:
    """Sessions by number, and executions that answer with their code.

    One whose code begins with ``hold`` waits until :meth:`let_go`, or ends as killed when its session is
    deleted. ``plan`` bounds how many sessions are open. :meth:`answer_next` prepares other answers.
    """

    def __init__(self, *, plan: Optional[int] = None) -> None:
        self.plan = plan
        self.transport = FunctionTransport(self._answer)
        self.made: list[str] = []
        """Every session there was, by id."""
        self.open: set[str] = set()
        self.executed: list[tuple[str, str]] = []
        """The session and the code of each execution, in the order they began."""
        self.calls: list[str] = []
        """Every call, as ``METHOD path``."""
        self.answered: list[str] = []
        """The calls that were answered."""
        self.bodies: list[Any] = []
        self._held: set[str] = set()
        self._free = False
        self._prepared: dict[str, list[Answering]] = {}
        self._changed = threading.Condition()

    @property
    def codes(self) -> list[str]:
        """The code of each execution, in the order they began."""
        return [code for _, code in self.executed]

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        with self._changed:
            assert self._changed.wait_for(condition, _PATIENCE), f"never came true: {vars(self)}"

    def wait_held(self, count: int) -> None:
        """Wait until so many executions are held."""
        self.wait_for(lambda: len(self._held) >= count)

    def let_go_after(self, count: int) -> None:
        """Let every execution end once so many have begun."""

        def run() -> None:
            self.wait_for(lambda: len(self.executed) >= count)
            self.let_go()

        threading.Thread(target=run).start()

    def let_go(self) -> None:
        """Let every execution end, also those to come."""
        with self._changed:
            self._free = True
            self._changed.notify_all()

    def end(self, session_id: str) -> None:
        """End a session, as the service or somebody else might."""
        with self._changed:
            self.open.discard(session_id)
            self._changed.notify_all()

    def answer_next(self, call: str, *prepared: Answering) -> None:
        """Answer the next calls of a kind, such as ``POST /execute``, so and not as usual."""
        with self._changed:
            self._prepared.setdefault(call, []).extend(prepared)

    def _answer(self, request: Request) -> Response:
        call = f"{request.method} {request.path}"
        body = json.loads(request.body or b"{}")
        with self._changed:
            self.calls.append(call)
            self.bodies.append(body)
            if call == "POST /execute":
                self.executed.append((body["sessionId"], body.get("code") or body["command"]))
            self._changed.notify_all()
            prepared = self._prepared.get(call)
            answering = prepared.pop(0) if prepared else None
        response = self._usual(request, body) if answering is None else answering()
        with self._changed:
            self.answered.append(call)
            self._changed.notify_all()
        return response

    def _usual(self, request: Request, body: Any) -> Response:
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
            session_id = f"ses_{len(self.made) + 1}"
            self.made.append(session_id)
            self.open.add(session_id)
            self._changed.notify_all()
        return responses.as_json({**responses.CREATED, "sessionId": session_id})

    def _execute(self, session_id: str, code: str) -> Response:
        with self._changed:
            if session_id not in self.open:
                return responses.error(404, "session_not_found")
            if code.startswith(HOLD):
                self._held.add(code)
                self._changed.notify_all()
                let_go = self._changed.wait_for(lambda: self._free or session_id not in self.open, _PATIENCE)
                assert let_go, "an execution was held for too long"
                self._held.discard(code)
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
