"""The service: requests below ``/v1/`` in, responses out."""

from __future__ import annotations

import re
from typing import Callable, Optional
from urllib.parse import unquote

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

Route = tuple[str, str, Handler]

_DEVBOX = "/v1/devboxes/{id}"
_EXECUTION = "/v1/devboxes/{id}/executions/{id}"
_NEW_RUNNING = "/v1/devboxes/create_and_await_running"
_STDOUT, _STDERR = (f"{_EXECUTION}/stream_{kind}_updates" for kind in ("stdout", "stderr"))
_SNAPSHOT = "/v1/devboxes/disk_snapshots"
_RUN = "/v1/scenarios/runs"
_BENCHMARK_RUN = "/v1/benchmark_runs/{id}"
_RUNS_OF = f"{_BENCHMARK_RUN}/scenario_runs"


def _actions(name: str, path: str, *handlers: Handler) -> dict[str, Route]:
    """Return the routes ``POST path/action``; an action has the name of its handler."""
    actions = {handler.__name__: handler for handler in handlers}
    return {f"{name}.{action}": ("POST", f"{path}/{action}", handler) for action, handler in actions.items()}


def _collection(name: str, path: str, collection: Collection) -> dict[str, Route]:
    public: dict[str, Route] = {f"{name}.list_public": ("GET", f"{path}/list_public", list_public)}
    return {
        **({} if collection.unique else public),
        f"{name}.create": ("POST", path, collection.create),
        f"{name}.list": ("GET", path, collection.list),
        f"{name}.retrieve": ("GET", f"{path}/{{id}}", collection.retrieve),
        f"{name}.update": ("POST", f"{path}/{{id}}", collection.update),
    }


# A fixed path is before the patterns that it matches too.
ROUTES: dict[str, Route] = {
    "devboxes.create": ("POST", "/v1/devboxes", devboxes.create),
    "devboxes.list": ("GET", "/v1/devboxes", devboxes.list_devboxes),
    "devboxes.create_and_await_running": ("POST", _NEW_RUNNING, devboxes.create_and_await_running),
    "devboxes.disk_snapshots.list": ("GET", _SNAPSHOT, snapshots.list_snapshots),
    "devboxes.disk_snapshots.query_status": ("GET", f"{_SNAPSHOT}/{{id}}/status", snapshots.query_status),
    "devboxes.disk_snapshots.update": ("POST", f"{_SNAPSHOT}/{{id}}", snapshots.update),
    **_actions("devboxes.disk_snapshots", f"{_SNAPSHOT}/{{id}}", snapshots.delete),
    "devboxes.retrieve": ("GET", _DEVBOX, devboxes.retrieve),
    "devboxes.update": ("POST", _DEVBOX, devboxes.update),
    "devboxes.logs.list": ("GET", f"{_DEVBOX}/logs", devboxes.logs),
    **_actions(
        "devboxes",
        _DEVBOX,
        *(devboxes.wait_for_status, devboxes.shutdown, devboxes.suspend, devboxes.resume),
        *(devboxes.keep_alive, devboxes.enable_tunnel, devboxes.remove_tunnel, devboxes.create_ssh_key),
        *(files.write_file_contents, files.read_file_contents, files.upload_file, files.download_file),
        *(snapshots.snapshot_disk, snapshots.snapshot_disk_async),
        *(executions.execute, executions.execute_async, executions.execute_sync),
    ),
    "devboxes.executions.retrieve": ("GET", _EXECUTION, executions.retrieve),
    **_actions("devboxes.executions", _EXECUTION, executions.kill, executions.send_std_in),
    "devboxes.executions.stream_stdout_updates": ("GET", _STDOUT, executions.stream_updates),
    "devboxes.executions.stream_stderr_updates": ("GET", _STDERR, executions.stream_updates),
    "devboxes.wait_for_command": ("POST", f"{_EXECUTION}/wait_for_status", executions.wait_for_status),
    "blueprints.create": ("POST", "/v1/blueprints", blueprints.create),
    "blueprints.list": ("GET", "/v1/blueprints", blueprints.list_blueprints),
    "blueprints.list_public": ("GET", "/v1/blueprints/list_public", list_public),
    "blueprints.retrieve": ("GET", "/v1/blueprints/{id}", blueprints.retrieve),
    "blueprints.logs": ("GET", "/v1/blueprints/{id}/logs", blueprints.logs),
    **_actions("blueprints", "/v1/blueprints/{id}", blueprints.delete),
    "scenarios.runs.list": ("GET", _RUN, scenario_runs.list_runs),
    "scenarios.runs.retrieve": ("GET", f"{_RUN}/{{id}}", scenario_runs.retrieve_run),
    **_actions(
        "scenarios.runs",
        f"{_RUN}/{{id}}",
        *(scenario_runs.score, scenario_runs.complete, scenario_runs.cancel, scenario_runs.download_logs),
    ),
    **_collection("scenarios.scorers", "/v1/scenarios/scorers", scenarios.SCORERS),
    **_actions("scenarios.scorers", "/v1/scenarios/scorers/{id}", scenario_runs.validate),
    **_actions("scenarios", "/v1/scenarios", scenario_runs.start_run),
    **_actions("scenarios", "/v1/scenarios/{id}", scenarios.archive),
    **_collection("scenarios", "/v1/scenarios", scenarios.SCENARIOS),
    "scenarios.list": ("GET", "/v1/scenarios", scenarios.list_scenarios),
    **_actions("benchmarks", "/v1/benchmarks", benchmarks.start_run),
    "benchmarks.definitions": ("GET", "/v1/benchmarks/{id}/definitions", benchmarks.definitions),
    "benchmarks.update_scenarios": ("POST", "/v1/benchmarks/{id}/scenarios", benchmarks.update_scenarios),
    **_collection("benchmarks", "/v1/benchmarks", benchmarks.BENCHMARKS),
    "benchmark_runs.list": ("GET", "/v1/benchmark_runs", benchmarks.list_runs),
    "benchmark_runs.retrieve": ("GET", _BENCHMARK_RUN, benchmarks.retrieve_run),
    **_actions("benchmark_runs", _BENCHMARK_RUN, benchmarks.complete, benchmarks.cancel),
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


_METHODS: dict[re.Pattern[str], dict[str, str]] = {}
"""The name of each route, by the pattern of its path and its method."""
for _name, (_method, _path, _) in ROUTES.items():
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
        self._model = Model(host, Waiter(advance), ids)

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
            return ROUTES[name][2](Call(self._model, request, ids))
        except TimeoutError:
            raise
        except Exception as error:
            return error_response(error)

    def end_holds(self) -> None:
        """End the requests that are held, with a 408: their threads are needed."""
        self._model.waiter.ended_holds += 1

    def close(self) -> None:
        """End all devboxes. Idempotent."""
        self._model.closed = True
        self.end_holds()
        for devbox in self._model.alive():
            devbox.end()
        for stored in self._model.all_objects():
            self._model.remove_object(stored)
        self._model.host.close()
