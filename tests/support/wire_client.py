"""A client of the wire API with decoded responses."""

from __future__ import annotations

import json
from typing import Any, Optional

import attrs

from buntime._http import Headers, Request, Response
from buntime.service.sessions.app import Service
from tests.support.clocks import ManualClock
from tests.support.executors import PlayedExecutor, PlayedRuntime


@attrs.frozen
class BufferedResponse:
    """A status, headers, and the decoded body."""

    status: int
    headers: Headers
    body: Any

    @property
    def code(self) -> str:
        """The error code, or ``""``."""
        return str(self.body.get("error", {}).get("code", ""))

    @property
    def details(self) -> Any:
        """The error's details."""
        return self.body["error"]["details"]


class WireClient:
    """Sends requests to a service with its clock and executor."""

    def __init__(self, service: Service, clock: ManualClock, executor: PlayedExecutor) -> None:
        self.service = service
        self.clock = clock
        self.executor = executor

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Response:
        """Send ``body`` as JSON and return the raw response."""
        headers = [("Content-Type", "application/json"), *options.pop("headers", {}).items()]
        content = None if body is None else json.dumps(body).encode()
        return self.service.handle(Request(method, path, headers=tuple(headers), body=content, **options))

    def post(self, path: str, body: Any = None, **options: Any) -> BufferedResponse:
        """POST ``body`` as JSON."""
        return _buffered(self.send("POST", path, body, **options))

    def get(self, path: str, /, **query: Any) -> BufferedResponse:
        """GET with a query."""
        pairs = tuple((name, str(value)) for name, value in query.items())
        return _buffered(self.send("GET", path, query=pairs))

    def delete(self, path: str) -> BufferedResponse:
        """DELETE."""
        return _buffered(self.send("DELETE", path))

    def create(self, **fields: Any) -> str:
        """Create a session and return its id."""
        response = self.post("/sessions/create", fields)
        assert response.status == 200, response
        return str(response.body["sessionId"])

    def execute(self, session_id: str, code: Optional[str] = "1", **fields: Any) -> BufferedResponse:
        """Execute code in a session."""
        return self.post("/execute", {"sessionId": session_id, "code": code, **fields})

    def runtime(self, session_id: str) -> PlayedRuntime:
        """Return the runtime of a session."""
        return self.executor.runtimes[session_id]


def _buffered(response: Response) -> BufferedResponse:
    return BufferedResponse(response.status, response.headers, json.loads(response.read()))
