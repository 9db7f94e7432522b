"""A service of Runloop that returns one canned response for each route, and fails as a test plans."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Optional, Union

from buntime.errors import APIConnectionError
from buntime.runloop import RunloopSDK
from buntime.runloop.wire.routes import ROUTES, Route
from buntime.transport import Request, Response
from tests.support.scripted import OwnClock

_DEVBOX = {"id": "dbx_1", "status": "running", "tunnel": {"tunnel_key": "k"}}
_EXECUTION = {"devbox_id": "dbx_1", "execution_id": "exc_1", "status": "completed", "exit_status": 0}
_VIEWS: dict[str, Any] = {
    "DevboxView": _DEVBOX,
    "ExecutionView": _EXECUTION,
    "ExecutionDetailView": {"devbox_id": "dbx_1", "exit_status": 0, "stdout": "", "stderr": ""},
    "SendStdInView": {"devbox_id": "dbx_1", "execution_id": "exc_1", "success": True},
    "TunnelView": {"tunnel_key": "k", "auth_mode": "open"},
    "SSHKeyView": {"id": "key_1", "ssh_private_key": "secret", "ssh_user": "user", "url": "host"},
    "SnapshotView": {"id": "snp_1"},
    "SnapshotStatusView": {"status": "complete", "snapshot": {"id": "snp_1"}},
    "BlueprintView": {"id": "bpt_1", "status": "build_complete"},
    "ObjectView": {"id": "obj_1", "state": "UPLOADING"},
    "ObjectDownloadURLView": {"download_url": "https://storage.example/obj_1?signature=s"},
    "AgentView": {"id": "agt_1"},
    "SecretView": {"id": "sec_1", "name": "NAME"},
    "ScenarioView": {"id": "scn_1", "name": "s", "status": "active"},
    "ScenarioRunView": {"id": "scr_1", "devbox_id": "dbx_1", "scenario_id": "scn_1", "state": "scored"},
    "ScorerView": {"id": "scs_1", "type": "t", "bash_script": "s"},
    "ScorerValidationView": {"name": "t", "scoring_result": {"score": 0.5}},
    "BenchmarkView": {"id": "bmd_1", "name": "b", "scenarioIds": ["scn_1"]},
    "BenchmarkRunView": {"id": "bmr_1", "benchmark_id": "bmd_1", "state": "completed"},
}
_GOALS = {
    "devboxes.shutdown": "shutdown",
    "devboxes.suspend": "suspended",
    "devboxes.resume": "running",
    "objects.complete": "READ_ONLY",
    "scenarios.runs.score": "scored",
    "scenarios.runs.complete": "completed",
    "scenarios.runs.cancel": "canceled",
    "benchmark_runs.complete": "completed",
    "benchmark_runs.cancel": "canceled",
}
_PATTERNS = sorted(
    ((re.compile(re.sub(r"{\w+}", "[^/]+", route.path)), route) for route in ROUTES.values()),
    key=lambda item: item[1].path.count("{"),
)

Fault = Union[str, int, Response]


def as_json(value: object, status: int = 200, **headers: str) -> Response:
    """Return a response with JSON."""
    fields = {"Content-Type": "application/json", **headers}
    return Response(status, fields, [json.dumps(value).encode()])


def route_of(request: Request) -> Route:
    """Return the row of a request."""
    return next(
        route
        for pattern, route in _PATTERNS
        if route.method == request.method and pattern.fullmatch(request.path)
    )


class Stub(OwnClock):
    """A transport with a clock of its own. ``acted`` are the routes that were carried out, in order.

    ``faults`` are what happens to the next requests: ``"before"`` and ``"after"`` drop the connection before
    and after the service acts, a number is a status, and ``""`` is no fault.
    """

    def __init__(
        self, *faults: Fault, respond: Optional[Callable[[Request], Optional[Response]]] = None
    ) -> None:
        super().__init__()
        self.faults = list(faults)
        self.respond = respond
        self.requests: list[Request] = []
        self.acted: list[str] = []

    def send(self, request: Request, /) -> Response:
        """Return the canned response, or fail as planned."""
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "before":
            raise APIConnectionError("no connection", phase="connect")
        if isinstance(fault, int):
            return as_json({"message": "planned"}, fault)
        if isinstance(fault, Response):
            return fault
        response = self.respond(request) if self.respond else None
        response = response or self.canned(request)
        self.acted.append(route_of(request).name)
        if fault == "after":
            raise APIConnectionError("the connection was lost", phase="read")
        return response

    def canned(self, request: Request) -> Response:
        """Return the usual response of a route."""
        route = route_of(request)
        if route.view in {"text", "bytes", "zip"}:
            return Response(200, {"Content-Type": "text/plain"}, [b"content"])
        if route.is_stream:
            return Response(
                200, {"Content-Type": "text/event-stream"}, [b'data: {"output": "x", "offset": 0}\n\n']
            )
        if route.items:
            return as_json({route.items: [_VIEWS[route.view]], "has_more": False})
        return as_json({**_VIEWS.get(route.view, {}), **self._status(route)})

    def _status(self, route: Route) -> dict[str, str]:
        # A GET shows the state that the last call led to.
        changes = [_GOALS[name] for name in [*self.acted, route.name] if name in _GOALS]
        fields = {
            "DevboxView": "status",
            **dict.fromkeys(("ObjectView", "ScenarioRunView", "BenchmarkRunView"), "state"),
        }
        return {fields[route.view]: changes[-1]} if changes and route.view in fields else {}

    def close(self) -> None:
        """Do nothing."""

    def client(self, **options: Any) -> RunloopSDK:
        """Return a client over this service."""
        return RunloopSDK(bearer_token="rk_of_the_tests", transport=self, **options)


FIELDS: dict[str, Any] = {
    "command": "true",
    "command_id": "c1",
    "statuses": ["running"],
    "file_path": "a.txt",
    "contents": "x",
    "path": "a.txt",
    "file": b"x",
    "name": "n",
    "content_type": "text",
    "value": "v",
    "type": "t",
    "bash_script": "echo 1",
    "input_context": {},
    "scoring_contract": {},
    "scoring_context": {},
    "scenario_id": "scn_1",
    "benchmark_id": "bmd_1",
}
IDS = {"id": "dbx_1", "name": "n", "devbox_id": "dbx_1", "execution_id": "exc_1"}


def call(client: RunloopSDK, route: Route, **options: Any) -> Any:
    """Make the call of a row with its required fields."""
    target: Any = client.api
    for name in route.name.split("."):
        target = getattr(target, name)
    fields = {name: FIELDS[name] for name in route.required}
    if route.name == "devboxes.executions.send_std_in":
        fields["text"] = "y\n"
    result = target(*[IDS[name] for name in route.arguments], **fields, **options)
    return list(result) if route.is_stream else result
