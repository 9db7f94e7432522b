"""The service: requests below ``/v1/`` in, responses out."""

from __future__ import annotations

import re
from typing import Callable, Optional
from urllib.parse import unquote

import attrs

from buntime._http import Request, Response
from buntime.service.devboxes.box import Host
from buntime.service.devboxes.context import Call
from buntime.service.devboxes.devbox import Devbox
from buntime.service.devboxes.errors import ApiError, error_response
from buntime.service.devboxes.model import Model, new_id
from buntime.service.devboxes.routes import (
    benchmarks,
    blueprints,
    devboxes,
    executions,
    files,
    scenario_runs,
    scenarios,
    snapshots,
    storage,
)
from buntime.service.devboxes.routes.records import Collection, list_public
from buntime.service.devboxes.waiting import Waiter
from buntime.service.requests import header

PREFIX = "/v1/"

Handler = Callable[[Call], Response]

_DEVBOX = "/v1/devboxes/{id}"
_EXECUTION = "/v1/devboxes/{id}/executions/{id}"
_NEW_RUNNING = "/v1/devboxes/create_and_await_running"
_STDOUT, _STDERR = (f"{_EXECUTION}/stream_{kind}_updates" for kind in ("stdout", "stderr"))
_SNAPSHOT = "/v1/devboxes/disk_snapshots"
_RUN = "/v1/scenarios/runs"
_BENCHMARK_RUN = "/v1/benchmark_runs/{id}"
_RUNS_OF = f"{_BENCHMARK_RUN}/scenario_runs"


def _collection(name: str, path: str, collection: Collection) -> dict[str, tuple[str, str, Handler]]:
    public = {f"{name}.list_public": ("GET", f"{path}/list_public", list_public)}
    return {
        **({} if collection.unique else public),
        f"{name}.create": ("POST", path, collection.create),
        f"{name}.list": ("GET", path, collection.list),
        f"{name}.retrieve": ("GET", f"{path}/{{id}}", collection.retrieve),
        f"{name}.update": ("POST", f"{path}/{{id}}", collection.update),
    }


# A fixed path is before the patterns that it matches too.
ROUTES: dict[str, tuple[str, str, Handler]] = {
    "devboxes.create": ("POST", "/v1/devboxes", devboxes.create),
    "devboxes.list": ("GET", "/v1/devboxes", devboxes.list_devboxes),
    "devboxes.create_and_await_running": ("POST", _NEW_RUNNING, devboxes.create_and_await_running),
    "devboxes.disk_snapshots.list": ("GET", _SNAPSHOT, snapshots.list_snapshots),
    "devboxes.disk_snapshots.query_status": ("GET", f"{_SNAPSHOT}/{{id}}/status", snapshots.query_status),
    "devboxes.disk_snapshots.update": ("POST", f"{_SNAPSHOT}/{{id}}", snapshots.update),
    "devboxes.disk_snapshots.delete": ("POST", f"{_SNAPSHOT}/{{id}}/delete", snapshots.delete),
    "devboxes.retrieve": ("GET", _DEVBOX, devboxes.retrieve),
    "devboxes.update": ("POST", _DEVBOX, devboxes.update),
    "devboxes.wait_for_status": ("POST", f"{_DEVBOX}/wait_for_status", devboxes.wait_for_status),
    "devboxes.shutdown": ("POST", f"{_DEVBOX}/shutdown", devboxes.shutdown),
    "devboxes.suspend": ("POST", f"{_DEVBOX}/suspend", devboxes.suspend),
    "devboxes.resume": ("POST", f"{_DEVBOX}/resume", devboxes.resume),
    "devboxes.keep_alive": ("POST", f"{_DEVBOX}/keep_alive", devboxes.keep_alive),
    "devboxes.logs.list": ("GET", f"{_DEVBOX}/logs", devboxes.logs),
    "devboxes.enable_tunnel": ("POST", f"{_DEVBOX}/enable_tunnel", devboxes.enable_tunnel),
    "devboxes.remove_tunnel": ("POST", f"{_DEVBOX}/remove_tunnel", devboxes.remove_tunnel),
    "devboxes.create_ssh_key": ("POST", f"{_DEVBOX}/create_ssh_key", devboxes.create_ssh_key),
    "devboxes.write_file_contents": ("POST", f"{_DEVBOX}/write_file_contents", files.write_file_contents),
    "devboxes.read_file_contents": ("POST", f"{_DEVBOX}/read_file_contents", files.read_file_contents),
    "devboxes.upload_file": ("POST", f"{_DEVBOX}/upload_file", files.upload_file),
    "devboxes.download_file": ("POST", f"{_DEVBOX}/download_file", files.download_file),
    "devboxes.snapshot_disk": ("POST", f"{_DEVBOX}/snapshot_disk", snapshots.snapshot_disk),
    "devboxes.snapshot_disk_async": ("POST", f"{_DEVBOX}/snapshot_disk_async", snapshots.snapshot_disk_async),
    "devboxes.execute": ("POST", f"{_DEVBOX}/execute", executions.execute),
    "devboxes.execute_async": ("POST", f"{_DEVBOX}/execute_async", executions.execute_async),
    "devboxes.execute_sync": ("POST", f"{_DEVBOX}/execute_sync", executions.execute_sync),
    "devboxes.executions.retrieve": ("GET", _EXECUTION, executions.retrieve),
    "devboxes.executions.kill": ("POST", f"{_EXECUTION}/kill", executions.kill),
    "devboxes.executions.send_std_in": ("POST", f"{_EXECUTION}/send_std_in", executions.send_std_in),
    "devboxes.executions.stream_stdout_updates": ("GET", _STDOUT, executions.stream_updates),
    "devboxes.executions.stream_stderr_updates": ("GET", _STDERR, executions.stream_updates),
    "devboxes.wait_for_command": ("POST", f"{_EXECUTION}/wait_for_status", executions.wait_for_status),
    "blueprints.create": ("POST", "/v1/blueprints", blueprints.create),
    "blueprints.list": ("GET", "/v1/blueprints", blueprints.list_blueprints),
    "blueprints.list_public": ("GET", "/v1/blueprints/list_public", list_public),
    "blueprints.retrieve": ("GET", "/v1/blueprints/{id}", blueprints.retrieve),
    "blueprints.logs": ("GET", "/v1/blueprints/{id}/logs", blueprints.logs),
    "blueprints.delete": ("POST", "/v1/blueprints/{id}/delete", blueprints.delete),
    "scenarios.runs.list": ("GET", _RUN, scenario_runs.list_runs),
    "scenarios.runs.retrieve": ("GET", f"{_RUN}/{{id}}", scenario_runs.retrieve_run),
    "scenarios.runs.score": ("POST", f"{_RUN}/{{id}}/score", scenario_runs.score),
    "scenarios.runs.complete": ("POST", f"{_RUN}/{{id}}/complete", scenario_runs.complete),
    "scenarios.runs.cancel": ("POST", f"{_RUN}/{{id}}/cancel", scenario_runs.cancel),
    "scenarios.runs.download_logs": ("POST", f"{_RUN}/{{id}}/download_logs", scenario_runs.download_logs),
    **_collection("scenarios.scorers", "/v1/scenarios/scorers", scenarios.SCORERS),
    "scenarios.scorers.validate": ("POST", "/v1/scenarios/scorers/{id}/validate", scenario_runs.validate),
    "scenarios.start_run": ("POST", "/v1/scenarios/start_run", scenario_runs.start_run),
    "scenarios.archive": ("POST", "/v1/scenarios/{id}/archive", scenarios.archive),
    **_collection("scenarios", "/v1/scenarios", scenarios.SCENARIOS),
    "scenarios.list": ("GET", "/v1/scenarios", scenarios.list_scenarios),
    "benchmarks.start_run": ("POST", "/v1/benchmarks/start_run", benchmarks.start_run),
    "benchmarks.definitions": ("GET", "/v1/benchmarks/{id}/definitions", benchmarks.definitions),
    "benchmarks.update_scenarios": ("POST", "/v1/benchmarks/{id}/scenarios", benchmarks.update_scenarios),
    **_collection("benchmarks", "/v1/benchmarks", benchmarks.BENCHMARKS),
    "benchmark_runs.list": ("GET", "/v1/benchmark_runs", benchmarks.list_runs),
    "benchmark_runs.retrieve": ("GET", _BENCHMARK_RUN, benchmarks.retrieve_run),
    "benchmark_runs.complete": ("POST", f"{_BENCHMARK_RUN}/complete", benchmarks.complete),
    "benchmark_runs.cancel": ("POST", f"{_BENCHMARK_RUN}/cancel", benchmarks.cancel),
    "benchmark_runs.list_scenario_runs": ("GET", _RUNS_OF, benchmarks.list_scenario_runs),
    "objects.create": ("POST", "/v1/objects", storage.create_object),
    "objects.list": ("GET", "/v1/objects", storage.list_objects),
    "objects.list_public": ("GET", "/v1/objects/list_public", list_public),
    "objects.retrieve": ("GET", "/v1/objects/{id}", storage.retrieve_object),
    "objects.complete": ("POST", "/v1/objects/{id}/complete", storage.complete_object),
    "objects.download": ("GET", "/v1/objects/{id}/download", storage.download_object),
    "objects.delete": ("POST", "/v1/objects/{id}/delete", storage.delete_object),
    "storage.put": ("PUT", "/v1/storage/{id}", storage.put_content),
    "storage.get": ("GET", "/v1/storage/{id}", storage.get_content),
    "agents.create": ("POST", "/v1/agents", storage.create_agent),
    "agents.list": ("GET", "/v1/agents", storage.list_agents),
    "agents.list_public": ("GET", "/v1/agents/list_public", list_public),
    "agents.retrieve": ("GET", "/v1/agents/{id}", storage.retrieve_agent),
    "agents.delete": ("POST", "/v1/agents/{id}/delete", storage.delete_agent),
    "secrets.create": ("POST", "/v1/secrets", storage.create_secret),
    "secrets.list": ("GET", "/v1/secrets", storage.list_secrets),
    "secrets.retrieve": ("GET", "/v1/secrets/{id}", storage.retrieve_secret),
    "secrets.update": ("POST", "/v1/secrets/{id}", storage.update_secret),
    "secrets.delete": ("POST", "/v1/secrets/{id}/delete", storage.delete_secret),
}
"""Method, path and handler of each route, by the name that the official clients have for it."""


@attrs.frozen
class _Route:
    name: str
    method: str
    pattern: re.Pattern[str]
    handler: Handler


_COMPILED = [
    _Route(name, method, re.compile(path.replace("{id}", "([^/]+)")), handler)
    for name, (method, path, handler) in ROUTES.items()
]


def route_name(method: str, path: str) -> Optional[str]:
    """Return the name of the route of a request, such as ``devboxes.create``; ``None`` if there is none."""
    matching = (route for route in _COMPILED if route.method == method and route.pattern.fullmatch(path))
    return next((route.name for route in matching), None)


class DevboxService:
    """The documented behaviour of Runloop: any bearer token is accepted, and none at all.

    ``host`` runs commands and has the disks. ``advance`` moves its clock, if that stands still. ``ids``
    returns an id for a prefix, never the same twice. Safe to use from several threads: no lock is held while
    a request is held.
    """

    def __init__(
        self,
        host: Host,
        *,
        advance: Optional[Callable[[float], object]] = None,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._model = Model(host, Waiter(host.clock, advance), ids)

    @property
    def devboxes(self) -> dict[str, Devbox]:
        """The devboxes that have not ended, by id, in the order they were created."""
        return {devbox.id: devbox for devbox in self._model.alive()}

    def handle(self, request: Request) -> Response:
        """Return the response to a request; for a stream of output, immediately.

        Every failure is a response, except ``TimeoutError``: it is raised here and from ``chunks`` if a
        request is held for longer than ``request.read_timeout``.
        """
        try:
            # In one process there is no key to check; a server checks its own before.
            authorization = header(request, "Authorization")
            scheme, _, token = (authorization or "").partition(" ")
            if authorization is not None and (scheme.lower() != "bearer" or not token.strip()):
                raise ApiError(401, "The API key is missing: send Authorization: Bearer KEY")
            self._model.check_open()
            handler, ids = _find(request)
            return handler(Call(self._model, request, ids))
        except TimeoutError:
            raise
        except Exception as error:
            return error_response(error)

    def end_holds(self) -> None:
        """End the requests that are held, with a 408: their threads are needed."""
        self._model.waiter.end_holds()

    def close(self) -> None:
        """End all devboxes. Idempotent."""
        self._model.closed = True
        self.end_holds()
        for devbox in self._model.alive():
            devbox.end()
        for stored in self._model.all_objects():
            self._model.remove_object(stored)
        self._model.host.close()


def _find(request: Request) -> tuple[Handler, tuple[str, ...]]:
    matching = [route for route in _COMPILED if route.pattern.fullmatch(request.path)]
    if not matching:
        raise ApiError(404, f"This model has no {request.method} {request.path}")
    # A fixed path is not an id: the first pattern that matches is the only one.
    routes = {route.method: route for route in matching if route.pattern == matching[0].pattern}
    if request.method not in routes:
        allowed = ", ".join(routes)
        message = f"{request.path} takes {allowed}, not {request.method}"
        raise ApiError(405, message, [("Allow", allowed)])
    ids = matching[0].pattern.fullmatch(request.path)
    return routes[request.method].handler, tuple(map(unquote, ids.groups() if ids else ()))
