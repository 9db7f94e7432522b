"""The tree of calls, as the table of routes has them, and the pages of lists: ``RunloopSDK().api``."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Callable, ClassVar, Optional

from buntime.errors import InvalidResponseError
from buntime.runloop import waiting
from buntime.runloop.connection import Connection, PreparedCall
from buntime.runloop.output import OutputStream
from buntime.runloop.wire import requests
from buntime.runloop.wire.routes import BY_NAME, Route, custom_route
from buntime.runloop.wire.views import devboxes as views
from buntime.runloop.wire.views.scoring import ScenarioRunView


class Page:
    """One page of a list. Iterating yields the items of this page and of all that follow.

    The items of this page are an attribute with the name of the API, such as ``devboxes``.
    """

    items: list[Any]
    has_more: bool
    total_count: Optional[int]

    def __init__(self, connection: Connection, call: str, options: dict[str, Any], *path: object) -> None:
        self._connection, self._call, self._options, self._path = connection, call, options, path
        self._cursors: frozenset[object] = frozenset()
        vars(self).update(connection.call(call, *path, **options))

    def __repr__(self) -> str:
        return f"<Page of {len(self.items)} {BY_NAME[self._call].items}>"

    def has_next_page(self) -> bool:
        """Whether more items follow."""
        return self.has_more and bool(self.items) and "starting_after" in BY_NAME[self._call].query

    def get_next_page(self) -> Page:
        """Return the next page; ``RuntimeError`` if there is none."""
        if not self.has_next_page():
            raise RuntimeError("this is the last page")
        last = self.items[-1].id
        cursors = self._cursors | {self._options.get("starting_after")}
        if last in cursors:
            raise InvalidResponseError(f"the list repeats the page after {last}")
        page = Page(self._connection, self._call, {**self._options, "starting_after": last}, *self._path)
        page._cursors = cursors
        return page

    def __iter__(self) -> Iterator[Any]:
        page = self
        yield from page.items
        while page.has_next_page():
            page = page.get_next_page()
            yield from page.items


class Calls:
    """The calls whose names begin with ``prefix``; without one, the calls by resource."""

    _prefix: str = ""
    _classes: ClassVar[dict[str, type[Calls]]] = {}

    def __init_subclass__(cls, resource: str = "") -> None:
        Calls._classes[resource] = cls

    def __init__(self, connection: Connection, prefix: str = "") -> None:
        self._connection = connection
        self._prefix = prefix

    def __repr__(self) -> str:
        return f"<calls of {f'api.{self._prefix}'[:-1]}>"

    def __getattr__(self, name: str) -> Any:
        full = f"{self._prefix}{name}"
        if full in BY_NAME:
            return _bound(self._connection, full)
        if any(route.startswith(f"{full}.") for route in BY_NAME):
            return calls_of(self._connection, full)
        if self._prefix:
            raise AttributeError(f"the API has no call {full!r}; use api.get() or api.post() with its path")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        names = {name[len(self._prefix) :].split(".")[0] for name in BY_NAME if name.startswith(self._prefix)}
        return sorted({*super().__dir__(), *names})


def _bound(connection: Connection, name: str) -> Callable[..., Any]:
    """Return the function of a route, with its signature."""
    route = BY_NAME[name]

    def call(*path: object, **fields: Any) -> Any:
        if route.items:
            return Page(connection, name, fields, *path)
        if route.is_stream:
            return OutputStream(connection, route.name, path, fields)
        return connection.call(name, *path, **fields)

    call.__name__ = call.__qualname__ = name.rpartition(".")[2]
    repeat = route.repeat.value
    call.__doc__ = f"``{route.method} {route.path}``. Sent again if the response is lost: {repeat}."
    vars(call)["__signature__"] = _signature(route)
    return call


def _signature(route: Route) -> inspect.Signature:
    kind = inspect.Parameter
    path = [kind(name, kind.POSITIONAL_OR_KEYWORD) for name in route.arguments]
    named = [
        kind(name, kind.KEYWORD_ONLY, default=kind.empty if name in route.required else None)
        for name in (*route.body, *route.query, *requests.OPTIONS)
    ]
    return inspect.Signature([*path, *named])


class Devboxes(Calls, resource="devboxes"):
    """The calls of devboxes, and those that wait."""

    def create_and_await_running(self, *, keep: bool = False, **options: Any) -> views.DevboxView:
        """Create a devbox and wait until it runs; if that fails, it is shut down unless ``keep`` is true.

        Raises the API's errors, :class:`ResourceFailedError` and :class:`~buntime.WaitTimeoutError`, each
        with the ``devbox_id``.
        """
        name, call = "create_and_await_running", "devboxes.create"
        return waiting.create(self._connection, name, options, call, keep=keep)

    def await_running(self, id: str, **options: Any) -> views.DevboxView:  # noqa: A002 - the official name
        """Wait until a devbox runs."""
        return waiting.RUNNING.method(self._connection, "await_running", options, id)

    def await_suspended(self, id: str, **options: Any) -> views.DevboxView:  # noqa: A002 - the official name
        """Wait until a devbox is suspended."""
        return waiting.SUSPENDED.method(self._connection, "await_suspended", options, id)

    def execute(self, id: str, *, command: str, **options: Any) -> views.ExecutionView:  # noqa: A002 - the official name
        """Run a command; the execution may still be running. ``command_id`` is optional."""
        options["command_id"] = options.get("command_id") or requests.new_command_id()
        return self._connection.call("devboxes.execute", id, command=command, **options)

    def execute_and_await_completion(
        self, devbox_id: str, *, command: str, **options: Any
    ) -> views.ExecutionView:
        """Run a command and wait until it is completed."""
        name = "execute_and_await_completion"
        with self._connection.waits(name, options, "devboxes.execute") as (connection, fields):
            return waiting.execute(connection, devbox_id, {**fields, "command": command})

    def snapshot_disk(self, id: str, **options: Any) -> views.SnapshotView:  # noqa: A002 - the official name
        """Take a snapshot of a disk and wait until it is complete."""
        call = "devboxes.snapshot_disk_async"
        with self._connection.waits("snapshot_disk", options, call) as (connection, fields):
            snapshot: views.SnapshotView = connection.call(call, id, **fields)
            return waiting.SNAPSHOT(connection, snapshot.id).snapshot or snapshot


class Executions(Calls, resource="devboxes.executions"):
    """The calls of executions, and the one that waits."""

    def await_completed(self, execution_id: str, devbox_id: str, **options: Any) -> views.ExecutionView:
        """Wait until an execution is completed."""
        wait = waiting.COMPLETED
        return wait.method(self._connection, "await_completed", options, execution_id, devbox_id)


class DiskSnapshots(Calls, resource="devboxes.disk_snapshots"):
    """The calls of snapshots, and the one that waits."""

    def await_completed(self, id: str, **options: Any) -> views.SnapshotStatusView:  # noqa: A002 - the official name
        """Wait until a snapshot is complete."""
        return waiting.SNAPSHOT.method(self._connection, "await_completed", options, id)


class Blueprints(Calls, resource="blueprints"):
    """The calls of blueprints, and those that wait."""

    def await_build_complete(self, id: str, **options: Any) -> views.BlueprintView:  # noqa: A002 - the official name
        """Wait until a blueprint is built."""
        return waiting.BUILT.method(self._connection, "await_build_complete", options, id)

    def create_and_await_build_complete(self, **options: Any) -> views.BlueprintView:
        """Create a blueprint and wait until it is built."""
        name, call = "create_and_await_build_complete", "blueprints.create"
        return waiting.BUILT.method(self._connection, name, options, after=call)


class Scenarios(Calls, resource="scenarios"):
    """The calls of scenarios, and the one that waits."""

    def start_run_and_await_env_ready(self, **options: Any) -> ScenarioRunView:
        """Start a run and wait until its devbox runs; if that fails, the run is canceled."""
        name, call = "start_run_and_await_env_ready", "scenarios.start_run"
        return waiting.create(self._connection, name, options, call)


class ScenarioRuns(Calls, resource="scenarios.runs"):
    """The calls of runs of scenarios, and those that wait."""

    def await_scored(self, id: str, **options: Any) -> ScenarioRunView:  # noqa: A002 - the official name
        """Wait until a run is scored."""
        return waiting.SCORED.method(self._connection, "await_scored", options, id)

    def score_and_await(self, id: str, **options: Any) -> ScenarioRunView:  # noqa: A002 - the official name
        """Start the scorers of a run and wait until it is scored."""
        call = "scenarios.runs.score"
        return waiting.SCORED.method(self._connection, "score_and_await", options, id, after=call)

    def score_and_complete(self, id: str, **options: Any) -> ScenarioRunView:  # noqa: A002 - the official name
        """Start the scorers of a run, wait until it is scored, and complete it."""
        name, call = "score_and_complete", "scenarios.runs.score"
        with self._connection.waits(name, options) as (connection, fields):
            waiting.SCORED.method(connection, name, fields, id, after=call)
            return connection.call("scenarios.runs.complete", id)


def calls_of(connection: Connection, resource: str) -> Calls:
    """Return the calls of a kind of resource, by its name in the tree."""
    return Calls._classes.get(resource, Calls)(connection, f"{resource}.")


class Api(Calls):
    """The calls of the API by resource, such as ``api.devboxes.create(...)``."""

    agents: Calls
    blueprints: Blueprints
    devboxes: Devboxes
    objects: Calls
    secrets: Calls
    scenarios: Scenarios
    benchmarks: Calls
    benchmark_runs: Calls

    def get(self, path: str, *, params: Optional[Mapping[str, Any]] = None, **options: Any) -> Any:
        """Make a GET for which there is no method, and return its JSON. It is repeated like every read."""
        return self._custom("GET", path, params, None, options)

    def post(
        self,
        path: str,
        *,
        body: Optional[Mapping[str, Any]] = None,
        params: Optional[Mapping[str, Any]] = None,
        **options: Any,
    ) -> Any:
        """Make a POST for which there is no method, and return its JSON. It is never sent twice."""
        return self._custom("POST", path, params, body, options)

    def _custom(self, method: str, path: str, params: Any, body: Any, options: dict[str, Any]) -> Any:
        if not isinstance(path, str) or not path.startswith("/") or set(path) & set("?#\r\n\0 {}"):
            raise ValueError(f"path is {path!r}; it must start with '/' and have no query (use params=)")
        requests.check_keywords(method.lower(), options, requests.OPTIONS)
        route = custom_route(method, path)
        request = requests.build(route, {}, {}, options.get("idempotency_key"))
        request = requests.with_extras(request, params, body)
        request = requests.with_extras(request, options.get("extra_query"), options.get("extra_body"))
        with self._connection.options(options) as connection:
            return connection.send(PreparedCall(route, request, {}))
