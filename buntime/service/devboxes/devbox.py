"""One devbox: its states by the clock, its executions and its shells."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional

from buntime._support.forks import reset_after_fork
from buntime.service.devboxes.box import Box, Execution, Host, Source
from buntime.service.devboxes.commands import Commands
from buntime.service.devboxes.errors import invalid
from buntime.service.devboxes.history import History
from buntime.service.devboxes.images import DiskSaving, Snapshot
from buntime.service.devboxes.spec import DevboxSpec
from buntime.service.devboxes.waiting import Waiter, WaitingClock
from buntime.service.errors import ServiceError
from buntime.service.executors import KILLED

ENDED = frozenset({"shutdown", "failure"})
_OUTPUT_AFTER_END = 2**20

Event = tuple[float, Callable[[float], None]]


class Devbox:
    """A devbox. Its methods take its lock; ``settle`` brings it up to date, and every method begins with it.

    It starts no thread: what is due by the clock happens when a request looks at it, dated to its own time.
    """

    def __init__(
        self, devbox_id: str, spec: DevboxSpec, host: Host, waiter: Waiter, new_id: Callable[[str], str]
    ) -> None:
        self.id = devbox_id
        self.spec = spec
        self.name: Optional[str] = spec.name
        self.metadata: Mapping[str, str] = spec.metadata
        self.environment: Mapping[str, str] = spec.environment
        self.memory: int = spec.memory
        self.clock: WaitingClock = host.clock
        self.lock: threading.Condition = reset_after_fork(threading.Condition())
        self.history: History = History(self.clock.time() - self.clock.monotonic())
        self.tunnel: Optional[dict[str, Any]] = None
        self.commands: Commands = Commands()
        self.saving: DiskSaving = DiskSaving(host.drop_snapshot)
        self.ended: Optional[float] = None
        self.deadline: Optional[Event] = None
        self._waiter = waiter
        self._new_id = new_id
        self._setup = deque(spec.launch_commands)
        self.created: float = self.clock.monotonic()
        self._kept_alive = self._last_use = self.created
        self._planned: Optional[Event] = (self.created + host.boot_time, self._boot)
        self.box: Box = host.open(self, spec.snapshot_id)
        self._become("provisioning", self.created)
        for note in spec.notes:
            self.note(note)

    def settle(self) -> None:
        """Let everything happen that is due, in the order of its times. The lock is held."""
        while True:
            event = min(self._events(), default=None, key=lambda event: event[0])
            if event is None or event[0] > self.clock.monotonic():
                return
            if event is self._planned:
                self._planned = None
            event[1](event[0])
            self.lock.notify_all()

    def next_change(self) -> Optional[float]:
        """Return when something is due next, on the monotonic clock."""
        return min((at for at, _ in self._events()), default=None)

    def _events(self) -> Iterator[Event]:
        if self.status in ENDED:
            return
        if self._planned is not None:
            yield self._planned
        if (saved := self.saving.next_change()) is not None:
            yield saved, self.saving.settle
        elif (end := self._expiry()) is not None:
            yield end, self._expire
        if (change := self.box.next_change()) is not None:
            yield change, self.box.settle
        if self.deadline is not None:
            yield self.deadline

    def _expiry(self) -> Optional[float]:
        idle = self.spec.idle_seconds
        if idle is None:
            return None if self.status == "suspended" else self._kept_alive + self.spec.keep_alive
        is_idle = self.status == "running" and next(self.commands.running(), None) is None
        return self._last_use + idle if is_idle else None

    def _expire(self, at: float) -> None:
        if self.spec.idle_seconds is None:
            self._end(at, "shutdown", shutdown_reason="keep_alive_timeout")
        elif self.spec.on_idle == "suspend":
            self._suspend(at)
        else:
            self._end(at, "shutdown", shutdown_reason="idle")

    def hold(
        self,
        ready: Callable[[], bool],
        seconds: Optional[float],
        read_timeout: Optional[float],
        *,
        for_output: bool = False,
    ) -> bool:
        """Wait until ``ready()``, which is called in the lock; see :meth:`Waiter.hold`.

        A wait ``for_output`` moves a clock only to the end of a command, never to the end of the devbox.
        """

        def settled() -> bool:
            self.settle()
            return ready()

        next_change = self.box.next_change if for_output else self.next_change
        return self._waiter.hold(self.lock, settled, next_change, seconds, read_timeout)

    @property
    def status(self) -> str:
        """The status, as of the last ``settle``."""
        return self.history.status

    def _become(self, status: str, at: float, **reasons: str) -> None:
        self.history.add(status, at, reasons)
        self.notify()

    def notify(self) -> None:
        """Wake the requests that wait for a change."""
        with self.lock:
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
        self._last_use = at
        if self.spec.entrypoint is not None:
            self._start_internal(self.spec.entrypoint, "entrypoint", at)

    def _start_internal(self, command: str, source: Source, at: float) -> bool:
        execution = Execution(self._new_id("exc_"), command, at, source=source)
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
        self._planned = (at, lambda at: self._become("suspended", at))

    def _end(self, at: float, status: str, **reasons: str) -> None:
        self.saving.cancel()
        self._end_processes(at)
        self._become(status, at, **reasons)
        self.commands.forget_old(_OUTPUT_AFTER_END)
        self.ended = at
        self._planned = self.tunnel = None
        self.box.remove()

    def _end_processes(self, at: float) -> None:
        self.commands.forget_shells()
        for execution in self.commands.running():
            self._complete(execution, KILLED, at)
        self.box.end_processes()

    def require(self, *statuses: str) -> None:
        """Bring the devbox up to date, and raise a 400 unless it has one of these statuses."""
        self.settle()
        if self.status not in statuses:
            raise invalid(f"Devbox {self.id} is {self.status}; this needs it to be {' or '.join(statuses)}")
        self._last_use = self.clock.monotonic()

    def _check_alive(self) -> None:
        self.settle()
        if self.status in ENDED:
            raise invalid(f"Devbox {self.id} is {self.status}")

    def suspend(self) -> None:
        """End the processes; the disk stays."""
        with self.lock:
            self.require("running")
            self.saving.check_none(self.id)
            self._suspend(self.clock.monotonic())

    def resume(self) -> None:
        """Run again after ``suspend``."""
        with self.lock:
            self.require("suspended")
            now = self._kept_alive = self.clock.monotonic()
            self._become("resuming", now)
            self._planned = (now, self._resumed)

    def _resumed(self, at: float) -> None:
        self._last_use = at
        self._become("running", at)

    def shutdown(self, *, force: bool = False) -> None:
        """End the devbox for good; a 409 during a snapshot, a 400 if it has ended."""
        with self.lock:
            self._check_alive()
            if not force:
                self.saving.check_none(self.id)
            self._end(self.clock.monotonic(), "shutdown", shutdown_reason="api_shutdown")

    def end(self, at: float) -> None:
        """End the devbox, unless it has ended; the lock is held."""
        if self.status not in ENDED:
            self._end(at, "shutdown", shutdown_reason="api_shutdown")

    def discard(self) -> None:
        """End a devbox that could not be made."""
        with self.lock:
            self._end(self.clock.monotonic(), "failure")

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
        """Add output of an execution."""
        if execution.exit_status is None:
            execution.outputs[kind].add(text)
            self.notify()

    def finished(self, execution: Execution, exit_status: int, at: float) -> None:
        """Note the end of an execution, and start the next command of its shell."""
        if execution.exit_status is None:
            self.start(self._finish(execution, exit_status, at), at)

    def _finish(self, execution: Execution, exit_status: int, at: float) -> Optional[Execution]:
        """Note the end of an execution; return the next command of its shell, which can start now."""
        self._complete(execution, exit_status, at)
        self._last_use = max(self._last_use, at)
        successor = self.commands.next_in_shell(execution)
        if execution.source == "entrypoint":
            self._end(at, "shutdown", shutdown_reason="entrypoint_exit")
        elif execution.source == "setup_commands":
            if exit_status == 0:
                self._set_up(at)
            else:
                self.note(f"The launch command {execution.command!r} ended with {exit_status}")
                self._end(at, "failure", failure_reason="execution_failed")
        if execution.on_end is not None:
            execution.on_end(at)
        return successor

    def _complete(self, execution: Execution, exit_status: int, at: float) -> None:
        execution.exit_status, execution.ended = exit_status, at
        self.notify()

    def note(self, message: str) -> None:
        """Add a line to the log."""
        self.history.notes.append((self.clock.monotonic(), message))

    def take_snapshot(self, snapshot: Snapshot) -> None:
        """Start a snapshot of the disk; a 409 while another one is in progress."""
        with self.lock:
            self.require("running", "suspended")
            self.saving.check_none(self.id)
            snapshot.saving = self.box.save(snapshot.id)
            self.saving.snapshot = snapshot
