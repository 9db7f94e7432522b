"""Waiting for a status, and creating what is never left behind: a devbox, or a run on one."""

from __future__ import annotations

from typing import Any, Optional

import attrs

from buntime import _validate, errors
from buntime._support.log import logger
from buntime.runloop.connection import Connection, PreparedCall, prepare, status_of
from buntime.runloop.wire.requests import Params, new_command_id
from buntime.runloop.wire.routes import BY_NAME
from buntime.runloop.wire.views.base import View
from buntime.runloop.wire.views.devboxes import DevboxView, ExecutionView

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_LONGEST_BOOT, _LONGEST_BUILD = 600.0, 3600.0
"""Seconds that a wait takes at most by default: for a devbox, and for a snapshot or a build."""
_SEE_LOGS = "Wait longer with timeout=, and see the logs()"
_COMMAND_RUNS_ON = (
    "Wait longer with timeout=. The command runs on; an execution of exec_async has kill() to end it"
)
ENDED = ("failure", "shutdown")


class ResourceFailedError(errors.BuntimeError):
    """A devbox ended before it ran, a snapshot failed, or a build failed. ``view`` is its last state."""

    hint = "See the reason in view, and the logs() of the devbox or the blueprint"

    def __init__(self, message: str, *, view: Optional[View] = None, **fields: Any) -> None:
        super().__init__(message, **fields)
        self.view = view


class Pauses:
    """Pauses that grow from 0.5 to 5 seconds, on the transport's clock and within the deadline.

    Without a deadline of the call, the wait may take ``longest`` seconds. ``None`` sets no limit, as for the
    end of a command.
    """

    def __init__(self, connection: Connection, waiting_for: str, longest: Optional[float] = None) -> None:
        self._caller = connection.caller
        self._waiting_for = waiting_for
        self._hint = _COMMAND_RUNS_ON if longest is None else _SEE_LOGS
        self._pause = _FIRST_PAUSE
        self._end: Optional[float] = None
        if longest is not None and self._caller.remaining() is None:
            self._end = self._caller.monotonic() + longest

    def sleep(self) -> None:
        """Wait; :class:`~buntime.WaitTimeoutError` if no time remains."""
        remaining = self.remaining()
        self._caller.sleep(self._pause if remaining is None else min(self._pause, remaining))
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def reset(self) -> None:
        """Begin with the shortest pause again; :class:`~buntime.WaitTimeoutError` if no time remains."""
        self.remaining()
        self._pause = _FIRST_PAUSE

    def remaining(self, error: Optional[errors.APIError] = None) -> Optional[float]:
        """Return the seconds that remain; if none do, raise the error of the wait after one of a request."""
        end = self._end
        remaining = self._caller.remaining() if end is None else end - self._caller.monotonic()
        if remaining is not None and remaining <= 0:
            raise self.timeout(error) from error
        return remaining

    def timeout(self, error: Optional[errors.APIError] = None) -> errors.WaitTimeoutError:
        """Return the error of a wait that took too long."""
        message = f"the time for waiting is over before {self._waiting_for}"
        maybe_executed = error is not None and error.maybe_executed
        timeout = errors.WaitTimeoutError(message, maybe_executed=maybe_executed)
        timeout.hint = self._hint
        return timeout


@attrs.frozen
class Wait:
    """A status of a resource, and the call that waits for it: one that is held, or a GET that is repeated."""

    resource: str
    goal: str
    call: str
    statuses: tuple[str, ...] = ()
    """Those that end a call that is held, in the order of the official clients."""
    pending: tuple[str, ...] = ()
    """Those in which a GET is repeated."""
    also_good: tuple[str, ...] = ()
    """Those that are a success besides the goal."""
    longest: Optional[float] = _LONGEST_BUILD

    def __call__(self, connection: Connection, *path: str, **fields: Any) -> Any:
        """Wait, and return the view; :class:`ResourceFailedError` if it ends in another status.

        A held call that ends early, as a busy service ends it, is followed by a pause.
        """
        name, hold = f"the {self.resource} {path[0]}", BY_NAME[self.call].hold
        if hold:
            fields.update(statuses=list(self.statuses), timeout_seconds=int(hold))
        pauses = Pauses(connection, f"{name} is {self.goal}", self.longest)
        while True:
            started = connection.caller.monotonic()
            try:
                view = connection.poll(self.call, *path, **fields)
                status = status_of(view)
                if status in self.statuses if hold else status not in self.pending:
                    break
            except errors.RequestTimeoutError:
                if not hold:  # else it ended before the status changed
                    raise
            except errors.APITimeoutError as error:
                pauses.remaining(error)
                raise
            if hold and connection.caller.monotonic() - started >= hold / 2:
                pauses.reset()
            else:
                pauses.sleep()
        if status != self.goal and status not in self.also_good:
            names = ("failure_reason", "shutdown_reason", "error_message")
            reasons = [f": {getattr(view, each)}" for each in names if getattr(view, each, None)]
            raise ResourceFailedError(f"{name} is {status}, not {self.goal}{''.join(reasons)}", view=view)
        return view

    def method(self, connection: Connection, name: str, options: Params, *path: str, after: str = "") -> Any:
        """Wait with the options of a method, which may make a call before; it returns what is waited for."""
        with connection.waits(name, options, after) as (limited, fields):
            if after:
                path = (limited.call(after, *path, **fields).id,)
            return self(limited, *path)


_HELD = "devboxes.wait_for_status"
RUNNING = Wait("devbox", "running", _HELD, ("running", *ENDED), longest=_LONGEST_BOOT)
SUSPENDED = Wait("devbox", "suspended", _HELD, (*ENDED, "suspended"), longest=_LONGEST_BOOT)
COMPLETED = Wait("execution", "completed", "devboxes.wait_for_command", ("completed",), longest=None)
SNAPSHOT = Wait("snapshot", "complete", "devboxes.disk_snapshots.query_status", pending=("in_progress",))
BUILT = Wait(
    "blueprint",
    "built",
    "blueprints.retrieve",
    pending=("queued", "provisioning", "building", "awaiting_upload"),
    also_good=("build_complete",),
)
SCORED = Wait(
    "scenario run", "scored", "scenarios.runs.retrieve", pending=("scoring",), also_good=("completed",)
)


def execute(connection: Connection, devbox_id: str, fields: Params) -> ExecutionView:
    """Run a command and wait for it: one request if it is short, and at most one execution."""
    fields = {**fields, "command_id": fields.get("command_id") or new_command_id()}
    pauses = Pauses(connection, "the command is completed")
    while True:
        try:
            view: ExecutionView = connection.call("devboxes.execute", devbox_id, **fields)
            break
        except errors.APITimeoutError as error:
            pauses.remaining(error)
            raise
        except errors.RequestTimeoutError:
            # The service ended its wait; the same command_id asks for the same execution.
            if not connection.repeat_execute:
                raise
        pauses.sleep()
    if view.status == "completed":
        return view
    return COMPLETED(connection, view.execution_id, devbox_id, last_n=fields.get("last_n"))


def create(connection: Connection, name: str, options: Params, call: str, *, keep: bool = False) -> Any:
    """Create a devbox, or a run of a scenario, and return its view when the devbox runs.

    ``name`` and ``options`` are those of a method. Whatever ends this early, Ctrl-C included, the devbox or
    run is ended unless ``keep`` is true, and the error gets the ``devbox_id``. If the response of the
    creation was lost, a repeat under the same ``x-request-id`` returns the id.
    """
    _validate.flag("keep", keep)
    with connection.waits(name, options, call, "keep") as (limited, fields):
        prepared = prepare(call, **fields)
        if limited.transport_state.is_closed:
            raise RuntimeError("the client is closed")
        view: Any = None
        try:
            view = limited.send(prepared)
            if isinstance(view, DevboxView):
                return view if view.status == "running" else RUNNING(limited, view.id)
            RUNNING(limited, view.devbox_id)
            return view
        except BaseException as error:
            if view is not None:
                vars(error)["devbox_id"] = getattr(view, "devbox_id", view.id)
            if not keep:
                _end(limited, prepared, view, error)
            raise


def _end(connection: Connection, prepared: PreparedCall, view: Any, error: BaseException) -> None:
    """End what was created, after an error, within 5 seconds; a failure to do so is logged."""
    if view is None and isinstance(error, errors.BuntimeError) and not error.maybe_executed:
        return
    cleanup = connection.for_cleanup()
    try:
        with cleanup.caller.one_deadline():
            view = view or cleanup.send(prepared)
            vars(error)["devbox_id"] = getattr(view, "devbox_id", view.id)
            is_devbox = isinstance(view, DevboxView)
            cleanup.call("devboxes.shutdown" if is_devbox else "scenarios.runs.cancel", view.id)
    except Exception as failure:
        has_ended = isinstance(error, ResourceFailedError)
        if has_ended and isinstance(failure, (errors.InvalidRequestError, errors.NotFoundError)):
            return
        name = f"the devbox {vars(error)['devbox_id']}" if view else "a devbox that may have been created"
        logger().warning("%s was not shut down: %s", name, failure)
