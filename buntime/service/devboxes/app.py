"""The service: requests below ``/v1/`` in, responses out."""

from __future__ import annotations

import re
from typing import Any, Callable, Optional, Union
from urllib.parse import unquote

from buntime._http import Request, Response
from buntime.service.devboxes.box import Host
from buntime.service.devboxes.context import JSON, Call, Collection, list_public
from buntime.service.devboxes.devbox import Devbox
from buntime.service.devboxes.errors import ApiError, error_response
from buntime.service.devboxes.model import Model
from buntime.service.devboxes.routes import devboxes, executions, files, images, records, runs, storage
from buntime.service.requests import header
from buntime.service.responses import json_response

PREFIX = "/v1/"

Handler = Callable[[Call], Union[JSON, Response]]

Route = tuple[str, str, Handler]

_DEVBOX = "/v1/devboxes/{id}"
_EXECUTION = "/v1/devboxes/{id}/executions/{id}"
_NEW_RUNNING = "/v1/devboxes/create_and_await_running"
_STDOUT, _STDERR = (f"{_EXECUTION}/stream_{kind}_updates" for kind in ("stdout", "stderr"))
_SNAPSHOT = "/v1/devboxes/disk_snapshots"
_RECORDS = "create list retrieve update"
_RUN = "/v1/scenarios/runs"
_BENCHMARK_RUN = "/v1/benchmark_runs/{id}"
_RUNS_OF = f"{_BENCHMARK_RUN}/scenario_runs"


def _actions(name: str, path: str, *handlers: Handler) -> dict[str, Route]:
    """Return the routes ``POST path/action``; an action has the name of its handler."""
    actions = {handler.__name__: handler for handler in handlers}
    return {f"{name}.{action}": ("POST", f"{path}/{action}", handler) for action, handler in actions.items()}


def _collection(name: str, path: str, collection: Collection[Any], calls: str) -> dict[str, Route]:
    """Return the routes of these calls."""
    routes: dict[str, Route] = {
        "list_public": ("GET", f"{path}/list_public", list_public),
        "create": ("POST", path, collection.create),
        "list": ("GET", path, collection.list),
        "retrieve": ("GET", f"{path}/{{id}}", collection.retrieve),
        "update": ("POST", f"{path}/{{id}}", collection.update),
    }
    return {f"{name}.{call}": route for call, route in routes.items() if call in calls.split()}


# A fixed path is before the patterns that it matches too.
ROUTES: dict[str, Route] = {
    "devboxes.create": ("POST", "/v1/devboxes", devboxes.create),
    "devboxes.list": ("GET", "/v1/devboxes", devboxes.list_devboxes),
    "devboxes.create_and_await_running": ("POST", _NEW_RUNNING, devboxes.create_and_await_running),
    "devboxes.disk_snapshots.list": ("GET", _SNAPSHOT, images.list_snapshots),
    "devboxes.disk_snapshots.query_status": ("GET", f"{_SNAPSHOT}/{{id}}/status", images.query_status),
    "devboxes.disk_snapshots.update": ("POST", f"{_SNAPSHOT}/{{id}}", images.update_snapshot),
    "devboxes.disk_snapshots.delete": ("POST", f"{_SNAPSHOT}/{{id}}/delete", images.delete_snapshot),
    "devboxes.retrieve": ("GET", _DEVBOX, devboxes.retrieve),
    "devboxes.update": ("POST", _DEVBOX, devboxes.update),
    "devboxes.logs.list": ("GET", f"{_DEVBOX}/logs", devboxes.logs),
    **_actions(
        "devboxes",
        _DEVBOX,
        *(devboxes.wait_for_status, devboxes.shutdown, devboxes.suspend, devboxes.resume),
        *(devboxes.keep_alive, devboxes.enable_tunnel, devboxes.remove_tunnel, devboxes.create_ssh_key),
        *(files.write_file_contents, files.read_file_contents, files.upload_file, files.download_file),
        *(images.snapshot_disk, images.snapshot_disk_async),
        *(executions.execute, executions.execute_async, executions.execute_sync),
    ),
    "devboxes.executions.retrieve": ("GET", _EXECUTION, executions.retrieve),
    **_actions("devboxes.executions", _EXECUTION, executions.kill, executions.send_std_in),
    "devboxes.executions.stream_stdout_updates": ("GET", _STDOUT, executions.stream_updates),
    "devboxes.executions.stream_stderr_updates": ("GET", _STDERR, executions.stream_updates),
    "devboxes.wait_for_command": ("POST", f"{_EXECUTION}/wait_for_status", executions.wait_for_status),
    "blueprints.create": ("POST", "/v1/blueprints", images.create_blueprint),
    "blueprints.list": ("GET", "/v1/blueprints", images.list_blueprints),
    "blueprints.list_public": ("GET", "/v1/blueprints/list_public", list_public),
    "blueprints.retrieve": ("GET", "/v1/blueprints/{id}", images.retrieve_blueprint),
    "blueprints.logs": ("GET", "/v1/blueprints/{id}/logs", images.logs),
    "blueprints.delete": ("POST", "/v1/blueprints/{id}/delete", images.delete_blueprint),
    **_collection("scenarios.runs", _RUN, runs.SCENARIO_RUNS, "list retrieve"),
    **_actions(
        "scenarios.runs", f"{_RUN}/{{id}}", runs.score, runs.complete, runs.cancel, runs.download_logs
    ),
    **_collection("scenarios.scorers", "/v1/scenarios/scorers", records.SCORERS, _RECORDS),
    **_actions("scenarios.scorers", "/v1/scenarios/scorers/{id}", runs.validate),
    "scenarios.start_run": ("POST", "/v1/scenarios/start_run", runs.SCENARIO_RUNS.create),
    **_actions("scenarios", "/v1/scenarios/{id}", records.archive),
    **_collection("scenarios", "/v1/scenarios", records.SCENARIOS, f"list_public {_RECORDS}"),
    "scenarios.list": ("GET", "/v1/scenarios", records.list_scenarios),
    "benchmarks.start_run": ("POST", "/v1/benchmarks/start_run", runs.BENCHMARK_RUNS.create),
    "benchmarks.definitions": ("GET", "/v1/benchmarks/{id}/definitions", records.definitions),
    "benchmarks.update_scenarios": ("POST", "/v1/benchmarks/{id}/scenarios", records.update_scenarios),
    **_collection("benchmarks", "/v1/benchmarks", records.BENCHMARKS, f"list_public {_RECORDS}"),
    **_collection("benchmark_runs", "/v1/benchmark_runs", runs.BENCHMARK_RUNS, "list retrieve"),
    "benchmark_runs.complete": ("POST", f"{_BENCHMARK_RUN}/complete", runs.end_benchmark_run),
    "benchmark_runs.cancel": ("POST", f"{_BENCHMARK_RUN}/cancel", runs.end_benchmark_run),
    "benchmark_runs.list_scenario_runs": ("GET", _RUNS_OF, runs.list_scenario_runs),
    "objects.create": ("POST", "/v1/objects", storage.create_object),
    "objects.list": ("GET", "/v1/objects", storage.list_objects),
    "objects.list_public": ("GET", "/v1/objects/list_public", list_public),
    "objects.retrieve": ("GET", "/v1/objects/{id}", storage.retrieve_object),
    "objects.complete": ("POST", "/v1/objects/{id}/complete", storage.complete_object),
    "objects.download": ("GET", "/v1/objects/{id}/download", storage.download_object),
    "objects.delete": ("POST", "/v1/objects/{id}/delete", storage.delete_object),
    "storage.put": ("PUT", "/v1/storage/{id}", storage.put_content),
    "storage.get": ("GET", "/v1/storage/{id}", storage.get_content),
    "agents.list": ("GET", "/v1/agents", storage.list_agents),
    **_collection("agents", "/v1/agents", storage.AGENTS, "list_public create retrieve"),
    "agents.delete": ("POST", "/v1/agents/{id}/delete", storage.delete_agent),
    **_collection("secrets", "/v1/secrets", storage.SECRETS, _RECORDS),
    "secrets.delete": ("POST", "/v1/secrets/{id}/delete", storage.delete_secret),
}
"""Method, path and handler of each route, by the name that the official clients have for it."""


_METHODS: dict[re.Pattern[str], dict[str, str]] = {}
"""The name of each route, by the pattern of its path and its method."""
for _name, (_method, _path, _handler) in ROUTES.items():
    _METHODS.setdefault(re.compile(_path.replace("{id}", "([^/]+)")), {})[_method] = _name


def _find(method: str, path: str) -> tuple[str, tuple[str, ...]]:
    """Return the name of the route of a request and the ids in its path; a 404 or a 405 if there is none."""
    for pattern, names in _METHODS.items():
        if match := pattern.fullmatch(path):
            # A fixed path is not an id: the first pattern that matches is the only one.
            if method not in names:
                allowed = ", ".join(names)
                raise ApiError(405, f"{path} takes {allowed}, not {method}", [("Allow", allowed)])
            return names[method], tuple(map(unquote, match.groups()))
    raise ApiError(404, f"This model has no {method} {path}")


def route_name(method: str, path: str) -> Optional[str]:
    """Return the name of the route of a request, such as ``devboxes.create``; ``None`` if there is none."""
    try:
        return _find(method, path)[0]
    except ApiError:
        return None


class DevboxService:
    """The documented behaviour of Runloop: any bearer token is accepted, and none at all.

    ``host`` runs commands and has the disks. Safe to use from several threads: no lock is held while a
    request is held.
    """

    def __init__(self, host: Host) -> None:
        self._model = Model(host)

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
            name, ids = _find(request.method, request.path)
            response = ROUTES[name][2](Call(self._model, request, ids))
            return response if isinstance(response, Response) else json_response(response)
        except TimeoutError:
            raise
        except Exception as error:
            return error_response(error)

    def end_holds(self) -> None:
        """End the requests that are held, with a 408: their threads are needed."""
        self._model.host.ended_holds += 1

    def close(self) -> None:
        """End all devboxes. Idempotent."""
        self._model.closed = True
        self.end_holds()
        for devbox in self._model.alive():
            devbox.end()
        for stored in self._model.all_objects():
            self._model.remove_object(stored)
        self._model.host.close()
