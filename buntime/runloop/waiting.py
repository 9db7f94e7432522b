"""Waiting for devboxes, executions, snapshots and builds, and creating a devbox that is never left behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Optional

from buntime._support.log import logger
from buntime.errors import (
    APIError,
    APITimeoutError,
    BuntimeError,
    InvalidRequestError,
    NotFoundError,
    RequestTimeoutError,
)
from buntime.runloop.connection import Connection, PreparedCall, prepare
from buntime.runloop.errors import COMMAND_RUNS_ON, SEE_LOGS, ResourceFailedError, wait_timeout
from buntime.runloop.wire.requests import new_command_id
from buntime.runloop.wire.routes import BY_NAME, DEVBOX_HOLD, EXECUTION_HOLD
from buntime.runloop.wire.views.devboxes import DevboxView, ExecutionView
from buntime.runloop.wire.views.images import BlueprintView, SnapshotStatusView
from buntime.runloop.wire.views.scoring import ScenarioRunView

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_CLEANUP = 5.0
_LONGEST_BOOT, _LONGEST_BUILD = 600.0, 3600.0
"""Seconds that a wait takes at most by default: for a devbox, and for a snapshot or a build."""
ENDED = ("failure", "shutdown")


class Pauses:
    """Pauses that grow from 0.5 to 5 seconds, on the transport's clock and within the deadline.

    Without a deadline of the call, the wait may take ``longest`` seconds; ``None`` for no limit.
    """

    def __init__(
        self,
        connection: Connection,
        waiting_for: str,
        longest: Optional[float] = None,
        hint: str = SEE_LOGS,
    ) -> None:
        self._caller = connection.caller
        self._message = f"the time for waiting is over before {waiting_for}"
        self._hint = hint
        self._pause = _FIRST_PAUSE
        self._end: Optional[float] = None
        if longest is not None and self._caller.remaining() is None:
            self._end = self._caller.monotonic() + longest

    def sleep(self) -> None:
        """Wait; :class:`~buntime.WaitTimeoutError` if no time remains."""
        remaining = self._remaining()
        self._caller.sleep(self._pause if remaining is None else min(self._pause, remaining))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def reset(self) -> None:
        """Begin with the shortest pause again; :class:`~buntime.WaitTimeoutError` if no time remains."""
        self._remaining()
        self._pause = _FIRST_PAUSE

    def _remaining(self) -> Optional[float]:
        remaining = self._caller.remaining() if self._end is None else self._end - self._caller.monotonic()
        if remaining is not None and remaining <= 0:
            raise wait_timeout(self._message, self._hint)
        return remaining

    def check_time(self, error: APIError) -> None:
        """Raise the error of the wait if no time remains after the error of a request."""
        remaining = self._caller.remaining()
        if remaining is not None and remaining <= 0:
            raise wait_timeout(self._message, self._hint, maybe_executed=error.maybe_executed) from error


def _hold(connection: Connection, route: str, path: tuple[str, ...], pauses: Pauses, **fields: Any) -> Any:
    """Repeat a request that the service holds until a status is reached, and return the view.

    A hold that ends early, as a busy service ends it, is followed by a pause.
    """
    hold = BY_NAME[route].hold
    while True:
        started = connection.caller.monotonic()
        try:
            view = connection.call(route, *path, **fields)
            if view.status in fields["statuses"]:
                return view
        except RequestTimeoutError:
            pass  # the hold ended before the status changed
        except APITimeoutError as error:
            pauses.check_time(error)
            raise
        if connection.caller.monotonic() - started < hold / 2:
            pauses.sleep()
        else:
            pauses.reset()


def await_devbox(connection: Connection, devbox_id: str, status: str) -> DevboxView:
    """Wait until a devbox has the status; :class:`ResourceFailedError` if it ends before."""
    view: DevboxView = _hold(
        connection,
        "devboxes.wait_for_status",
        (devbox_id,),
        Pauses(connection, f"the devbox {devbox_id} is {status}", _LONGEST_BOOT),
        # The captured order of the official clients.
        statuses=[status, *ENDED] if status == "running" else [*ENDED, status],
        timeout_seconds=DEVBOX_HOLD,
    )
    if view.status != status:
        reason = view.failure_reason or view.shutdown_reason or "no reason is known"
        raise ResourceFailedError(
            f"the devbox {devbox_id} is {view.status} ({reason}), not {status}", view=view
        )
    return view


def await_execution(
    connection: Connection, devbox_id: str, execution_id: str, last_n: Optional[int] = None
) -> ExecutionView:
    """Wait until an execution is completed."""
    return _hold(
        connection,
        "devboxes.wait_for_command",
        (execution_id, devbox_id),
        Pauses(connection, f"the execution {execution_id} is completed", hint=COMMAND_RUNS_ON),
        statuses=["completed"],
        timeout_seconds=EXECUTION_HOLD,
        last_n=last_n,
    )


def execute(connection: Connection, devbox_id: str, fields: Mapping[str, Any]) -> ExecutionView:
    """Run a command and wait for it: one request if it is short, and at most one execution."""
    fields = {**fields, "command_id": fields.get("command_id") or new_command_id()}
    pauses = Pauses(connection, "the command is completed", hint=COMMAND_RUNS_ON)
    while True:
        try:
            view: ExecutionView = connection.call("devboxes.execute", devbox_id, **fields)
            break
        except APITimeoutError as error:
            pauses.check_time(error)
            raise
        except APIError as error:
            # The service ended its wait; the same command_id asks for the same execution.
            if error.status != 408 or not connection.repeat_execute:
                raise
        pauses.sleep()
    if view.status == "completed":
        return view
    return await_execution(connection, devbox_id, view.execution_id, fields.get("last_n"))


def _poll(
    connection: Connection, call: str, resource_id: str, pending: tuple[str, ...], waiting_for: str
) -> Any:
    """Fetch a resource, after pauses, until its status is not one of a resource that is in progress."""
    pauses = Pauses(connection, waiting_for, _LONGEST_BUILD)
    while True:
        try:
            view = connection.poll(call, resource_id)
        except APITimeoutError as error:
            pauses.check_time(error)
            raise
        if (getattr(view, "status", None) or view.state) not in pending:
            return view
        pauses.sleep()


def await_snapshot(connection: Connection, snapshot_id: str) -> SnapshotStatusView:
    """Wait until a snapshot is complete; :class:`ResourceFailedError` if it fails."""
    view: SnapshotStatusView = _poll(
        connection,
        "devboxes.disk_snapshots.query_status",
        snapshot_id,
        ("in_progress",),
        f"the snapshot {snapshot_id} is complete",
    )
    if view.status in {"error", "deleted"}:
        reason = view.error_message or "no reason is known"
        raise ResourceFailedError(f"the snapshot {snapshot_id} is {view.status} ({reason})", view=view)
    return view


def await_scored(connection: Connection, run_id: str) -> ScenarioRunView:
    """Wait until a run is scored; :class:`ResourceFailedError` if it ends before, or is not being scored."""
    view: ScenarioRunView = _poll(
        connection,
        "scenarios.runs.retrieve",
        run_id,
        ("scoring",),
        f"the scenario run {run_id} is scored",
    )
    if view.state not in {"scored", "completed"}:
        raise ResourceFailedError(f"the scenario run {run_id} is {view.state}, not scored", view=view)
    return view


def score(connection: Connection, run_id: str, options: Mapping[str, Any]) -> ScenarioRunView:
    """Start the scorers of a run, and wait until it is scored."""
    connection.call("scenarios.runs.score", run_id, **options)
    return await_scored(connection, run_id)


def await_blueprint(connection: Connection, blueprint_id: str) -> BlueprintView:
    """Wait until a blueprint is built; :class:`ResourceFailedError` if the build fails."""
    view: BlueprintView = _poll(
        connection,
        "blueprints.retrieve",
        blueprint_id,
        ("queued", "provisioning", "building", "awaiting_upload"),
        f"the blueprint {blueprint_id} is built",
    )
    if view.status == "failed":
        reason = view.failure_reason or "no reason is known"
        raise ResourceFailedError(f"the build of {blueprint_id} failed ({reason})", view=view)
    return view


def create_devbox(connection: Connection, fields: Mapping[str, Any], *, keep: bool = False) -> DevboxView:
    """Create a devbox and wait until it runs; see :func:`_create`."""

    def wait(created: DevboxView) -> DevboxView:
        return created if created.status == "running" else await_devbox(connection, created.id, "running")

    end = None if keep else "devboxes.shutdown"
    return _create(connection, "devboxes.create", fields, wait, end)


def start_run(connection: Connection, fields: Mapping[str, Any]) -> ScenarioRunView:
    """Start a run of a scenario and wait until its devbox runs; see :func:`_create`."""

    def wait(run: ScenarioRunView) -> ScenarioRunView:
        await_devbox(connection, run.devbox_id, "running")
        return run

    return _create(connection, "scenarios.start_run", fields, wait, "scenarios.runs.cancel")


def _create(
    connection: Connection,
    call: str,
    fields: Mapping[str, Any],
    wait: Callable[[Any], Any],
    end: Optional[str],
) -> Any:
    """Create what has a devbox, and return what ``wait`` returns for its view.

    Whatever ends this early, Ctrl-C included, it is ended by the call ``end``, and the error gets the
    ``devbox_id``. If the response of the creation was lost, a repeat under the same ``x-request-id``
    returns the id.
    """
    prepared = prepare(call, **fields)
    if connection.caller.shared.is_closed:
        raise RuntimeError("the client is closed")
    view: Any = None
    try:
        view = connection.send(prepared)
        return wait(view)
    except BaseException as error:
        if view is not None:
            vars(error)["devbox_id"] = getattr(view, "devbox_id", view.id)
        if end is not None:
            _end(connection, prepared, view, end, error)
        raise


def _end(connection: Connection, prepared: PreparedCall, view: Any, end: str, error: BaseException) -> None:
    """End what was created, after an error, within 5 seconds; a failure to do so is logged."""
    if view is None and isinstance(error, BuntimeError) and not error.maybe_executed:
        return
    cleanup = connection.for_cleanup(_CLEANUP)
    try:
        with cleanup.caller.one_deadline():
            view = view or cleanup.send(prepared)
            vars(error)["devbox_id"] = getattr(view, "devbox_id", view.id)
            cleanup.call(end, view.id)
    except Exception as failure:
        has_ended = isinstance(error, ResourceFailedError)
        if has_ended and isinstance(failure, (InvalidRequestError, NotFoundError)):
            return
        name = f"the devbox {vars(error)['devbox_id']}" if view else "a devbox that may have been created"
        logger().warning("%s was not shut down: %s", name, failure)
