"""Raw requests to a model of Runloop, without its client."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any, Optional

from buntime._http import Request, Response, Transport

KEY = "rk_of_the_suite"


class Wire:
    """Sends JSON to ``/v1/...`` over a transport."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._numbers = itertools.count(1)

    def send(
        self,
        method: str,
        path: str,
        body: Optional[Any] = None,
        query: Optional[Mapping[str, str]] = None,
        headers: Optional[Mapping[str, str]] = None,
        content: Optional[bytes] = None,
    ) -> Response:
        """Return the response; ``body`` is sent as JSON, ``content`` as it is."""
        sent = {"Authorization": f"Bearer {KEY}", **(headers or {})}
        if body is not None:
            content = json.dumps(body).encode()
            sent = {"Content-Type": "application/json", **sent}
        return self.transport.send(
            Request(
                method,
                f"/v1{path}",
                query=tuple((query or {}).items()),
                headers=tuple(sent.items()),
                body=content,
            )
        )

    def get(self, path: str, /, **query: str) -> Any:
        """Return the JSON of a 200."""
        return _value(self.send("GET", path, query=query))

    def post(self, path: str, /, **body: Any) -> Any:
        """Return the JSON of a 200."""
        return _value(self.send("POST", path, body))

    def refused(self, path: str, /, **body: Any) -> tuple[int, str]:
        """Return the status and the message of an error response to a POST."""
        response = self.send("POST", path, body)
        value = json.loads(response.read())
        assert {"message", "code"} == set(value), value
        assert response.status >= 400
        return response.status, value["message"]

    def create(self, **body: Any) -> str:
        """Return the path of a new devbox that runs."""
        path = f"/devboxes/{self.post('/devboxes', **body)['id']}"
        self.post(f"{path}/wait_for_status", statuses=["running"], timeout_seconds=30)
        return path

    def execute(self, devbox: str, command: str, **body: Any) -> Any:
        """Return the view of a completed execution."""
        view = self.post(f"{devbox}/execute", command=command, command_id=f"c{next(self._numbers)}", **body)
        assert "completed" == view["status"], view
        return view

    def start(self, devbox: str, command: str, **body: Any) -> str:
        """Return the path of an execution that has started."""
        view = self.post(f"{devbox}/execute_async", command=command, **body)
        return f"{devbox}/executions/{view['execution_id']}"

    def completed(self, execution: str, **query: str) -> Any:
        """Return the view of an execution at its end."""
        body = {"statuses": ["completed"]}
        return _value(self.send("POST", f"{execution}/wait_for_status", body, query=query))


def _value(response: Response) -> Any:
    content = response.read()
    assert 200 == response.status, content
    return json.loads(content)


def events(content: bytes) -> list[Any]:
    """Return the data of the events of a stream."""
    lines = content.decode().splitlines()
    return [json.loads(line[len("data: ") :]) for line in lines if line.startswith("data: ")]
