"""One devbox: its states by the clock, its executions and its shells."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any, Callable, Optional

from buntime._support.forks import reset_after_fork
from buntime.service.clock import ServiceClock
from buntime.service.devboxes.box import Box, Host, Saving
from buntime.service.devboxes.errors import ApiError, invalid
from buntime.service.devboxes.history import Commands, Event, Execution, History, Source
from buntime.service.devboxes.spec import DevboxSpec
from buntime.service.devboxes.storage import Snapshot
from buntime.service.errors import ServiceError
from buntime.service.executors import KILLED

ENDED = frozenset({"shutdown", "failure"})
_OUTPUT_AFTER_END = 2**20
_NEVER = float("inf")


class Devbox:
    """A devbox. Its methods take its lock; ``settle`` brings it up to date, and every method begins with it.

    It starts no thread: what is due by the clock happens when a request looks at it, dated to its own time.
    """

    def __init__(self, spec: DevboxSpec, host: Host) -> None:
        self.id: str = host.new_id("dbx_")
        self.spec = spec
        self.clock: ServiceClock = host.clock
        self.lock: threading.Condition = reset_after_fork(threading.Condition())
        self.history: History = History(self.clock.time() - self.clock.monotonic())
        self.tunnel: Optional[dict[str, Any]] = None
        self.commands: Commands = Commands()
        self.ended: Optional[float] = None
        self.deadline: Optional[Event] = None
        self.host = host
        self._setup = deque(spec.launch_commands)
        self._saving: Optional[tuple[Snapshot, Saving]] = None
        self.created: float = self.clock.monotonic()
        self._kept_alive = self._last_use = self.created
        self._planned: Optional[Event] = (self.created + host.boot_time, self._boot)
        self.box: Box = host.open(self, spec.snapshot_id)
        self.history.add("provisioning", self.created, {})
        for note in spec.notes:
            self.note(note)

    def settle(self) -> str:
        """Let everything happen that is due, in the order of its times; return the status."""
        with self.lock:
            while event := min(self._events(), default=None, key=lambda event: event[0]):
                at, act = event
                if at > self.clock.monotonic():
                    break
                if event is self._planned:
                    self._planned = None
                act(at)
                self.lock.notify_all()
            return self.status

    def _events(self) -> Iterator[Event]:
        if self.status in ENDED:
            return
        if self._planned is not None:
            yield self._planned
        launch = self.spec.launch_parameters
        if self._saving is not None:
            yield self._saving[1].due, partial(self._poll_snapshot, *self._saving)
        elif not (idle := launch.get("after_idle")):
            if self.status != "suspended":
                due = self._kept_alive + launch["keep_alive_time_seconds"]
                yield due, partial(self._end, reason="keep_alive_timeout")
        elif self.status == "running" and next(self.commands.unfinished(), None) is None:
            expire = self._suspend if idle["on_idle"] == "suspend" else partial(self._end, reason="idle")
            yield self._last_use + idle["idle_time_seconds"], expire
        yield from self._ends()
        if self.deadline is not None:
            yield self.deadline

    def _ends(self) -> Iterator[Event]:
        """Yield the ends of commands that the clock brings."""
        return (each.planned_end for each in self.commands.unfinished() if each.planned_end is not None)

    def hold(
        self,
        ready: Callable[[], bool],
        seconds: Optional[float],
        read_timeout: Optional[float],
        *,
        for_output: bool = False,
    ) -> bool:
        """Wait until ``ready()``, at most ``seconds``; return whether it is. It is called in the lock.

        Raises ``TimeoutError`` after ``read_timeout`` seconds: the client waits no longer. A wait
        ``for_output`` moves a clock only to the end of a command, never to the end of the devbox.
        """
        start, ended_holds = self.clock.monotonic(), self.host.ended_holds
        end, limit = (start + _NEVER if each is None else start + each for each in (seconds, read_timeout))
        with self.lock:
            while True:
                self.settle()
                if ready():
                    return True
                now = self.clock.monotonic()
                if now >= end or (seconds is not None and self.host.ended_holds != ended_holds):
                    return False
                if now >= limit:
                    raise TimeoutError("the service did not respond in time")
                due = (at for at, _ in (self._ends() if for_output else self._events()))
                self.host.wait(self.lock, max(0.0, min(end, limit, *due) - now))

    @property
    def status(self) -> str:
        """The status, as of the last ``settle``."""
        return self.history.status

    def _become(self, status: str, at: float, **reasons: str) -> None:
        self._last_use = at
        self.history.add(status, at, reasons)
        self.lock.notify_all()

    def _boot(self, at: float) -> None:
        self._become("initializing", at)
        self._set_up(at)

    def _set_up(self, at: float) -> None:
        """Start the next launch command; after the last one the devbox runs."""
        while self._setup:
            if self._start_internal(self._setup.popleft(), "setup_commands", at):
                return
        self._become("running", at)
        if self.spec.entrypoint is not None:
            self._start_internal(self.spec.entrypoint, "entrypoint", at)

    def _start_internal(self, command: str, source: Source, at: float) -> bool:
        execution = Execution(self.host.new_id("exc_"), command, at, source=source)
        try:
            self.run(execution, at)
        except ServiceError as error:
            self.note(f"{source}: {command!r} was not run: {error.message}")
            return False
        return True

    def run(self, execution: Execution, at: float) -> None:
        """Start a command of the service itself; the lock is held."""
        self.box.prepare(execution)
        self.commands.add(execution)
        self.start(execution, at)

    def _suspend(self, at: float) -> None:
        self._become("suspending", at)
        self._end_processes(at)
        self._planned = (at, partial(self._become, "suspended"))

    def _end(self, at: float, *, reason: str, status: str = "shutdown") -> None:
        if self._saving is not None:
            snapshot, saving = self._saving
            saving.cancel()
            self._end_snapshot(snapshot, "the devbox has ended")
        self._end_processes(at)
        self._become(status, at, **{f"{status}_reason": reason})
        self.commands.forget_old(_OUTPUT_AFTER_END)
        self.ended = at
        self._planned = self.tunnel = None
        self.box.remove()

    def _end_processes(self, at: float) -> None:
        for execution in self.commands.unfinished():
            self._complete(execution, KILLED, at)
        self.box.end_processes()

    def require(self, *statuses: str) -> None:
        """Bring the devbox up to date, and raise a 400 unless it has one of these statuses."""
        with self.lock:
            if self.settle() not in statuses:
                needed = " or ".join(statuses)
                raise invalid(f"Devbox {self.id} is {self.status}; this needs it to be {needed}")
            self._last_use = self.clock.monotonic()

    def _check_alive(self) -> None:
        if self.settle() in ENDED:
            raise invalid(f"Devbox {self.id} is {self.status}")

    def suspend(self) -> None:
        """End the processes; the disk stays."""
        with self.lock:
            self.require("running")
            self._check_not_saving()
            self._suspend(self.clock.monotonic())

    def resume(self) -> None:
        """Run again after ``suspend``."""
        with self.lock:
            self.require("suspended")
            now = self._kept_alive = self.clock.monotonic()
            self._become("resuming", now)
            self._planned = (now, partial(self._become, "running"))

    def shutdown(self, *, force: bool = False) -> None:
        """End the devbox for good; a 409 during a snapshot, a 400 if it has ended."""
        with self.lock:
            self._check_alive()
            if not force:
                self._check_not_saving()
            self.end()

    def end(self, at: Optional[float] = None) -> None:
        """End the devbox, unless it has ended."""
        with self.lock:
            if self.status not in ENDED:
                self._end(self.clock.monotonic() if at is None else at, reason="api_shutdown")

    def keep_alive(self) -> None:
        """Start the time of the keep-alive again."""
        with self.lock:
            self._check_alive()
            self._kept_alive = self._last_use = self.clock.monotonic()

    def start(self, execution: Optional[Execution], at: float) -> None:
        """Start a command; if it cannot be started, it ends and the next one of its shell starts."""
        while execution is not None:
            execution.started = at
            try:
                if execution.prepared is None:
                    self.box.prepare(execution)
                self.box.start(execution)
                return
            except ServiceError as error:
                self.note(f"{execution.command!r} could not be started: {error.message}")
                self.wrote(execution, "stderr", f"{error.message}\n")
            execution = self._finish(execution, 126, at)

    def wrote(self, execution: Execution, kind: str, text: str) -> None:
        """Add output of an execution: a piece of its ``stdout`` or ``stderr``."""
        if execution.exit_status is None:
            execution.outputs[kind].add(text)
            self.lock.notify_all()

    def finished(self, execution: Execution, exit_status: int, at: float) -> None:
        """Note the end of an execution, unless it has ended, and start the next command of its shell."""
        if execution.exit_status is None:
            self.start(self._finish(execution, exit_status, at), at)

    def _finish(self, execution: Execution, exit_status: int, at: float) -> Optional[Execution]:
        """Note the end of an execution; return the next command of its shell, which can start now."""
        self._complete(execution, exit_status, at)
        self._last_use = max(self._last_use, at)
        was_first = execution.started is not None
        successor = self.commands.first_in_shell(execution.shell_name) if was_first else None
        if execution.source == "entrypoint":
            self._end(at, reason="entrypoint_exit")
        elif execution.source == "setup_commands":
            if exit_status == 0:
                self._set_up(at)
            else:
                self.note(f"The launch command {execution.command!r} ended with {exit_status}")
                self._end(at, status="failure", reason="execution_failed")
        if execution.on_end is not None:
            execution.on_end(at)
        return successor

    def _complete(self, execution: Execution, exit_status: int, at: float) -> None:
        execution.exit_status, execution.ended = exit_status, at
        self.lock.notify_all()

    def note(self, message: str) -> None:
        """Add a line to the log."""
        self.history.notes.append((self.clock.monotonic(), message))

    def take_snapshot(self, snapshot: Snapshot) -> None:
        """Start a snapshot of the disk; a 409 while another one is in progress."""
        with self.lock:
            self.require("running", "suspended")
            self._check_not_saving()
            self._saving = snapshot, self.box.save(snapshot.id)

    def _check_not_saving(self) -> None:
        if self._saving is not None:
            raise ApiError(409, f"A snapshot of devbox {self.id} is in progress")

    def _poll_snapshot(self, snapshot: Snapshot, saving: Saving, _at: float) -> None:
        if (error := saving.poll()) is not None:
            self._end_snapshot(snapshot, error)

    def _end_snapshot(self, snapshot: Snapshot, error: str) -> None:
        """Note the end of a snapshot; if there is an error, its disk is of no use."""
        self._saving = None
        snapshot.status, snapshot.error = ("error", error) if error else ("complete", None)
        if error:
            self.host.drop_snapshot(snapshot.id)
