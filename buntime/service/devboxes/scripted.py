"""Devboxes in memory: scripted commands, files in memory, a clock that tests move."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

import attrs

from buntime.service.devboxes.box import HOME, TEMPORARY, Execution, Listener
from buntime.service.devboxes.storage import MemoryStore
from buntime.service.devboxes.waiting import WaitingClock
from buntime.service.executors import KILLED, Output
from buntime.service.scripted.executor import ScriptedExecutor
from buntime.service.scripted.results import ScriptedExecution, ScriptedResult
from buntime.service.workspace.memory import MemoryWorkspace

_INTERRUPTED = 130
_NO_LIMIT = 2**31

Disk = Mapping[str, MemoryWorkspace]


@attrs.define
class ScriptedHost:
    """Makes devboxes in memory; the times are seconds on ``clock``."""

    clock: WaitingClock
    executor: ScriptedExecutor
    boot_time: float = 0.0
    build_time: float = 0.0
    snapshot_time: float = 0.0
    snapshots: dict[str, Disk] = attrs.field(factory=dict)
    store: MemoryStore = attrs.field(factory=MemoryStore)
    network: bool = True

    def open(self, devbox: Listener, snapshot_id: Optional[str]) -> ScriptedBox:
        """Return a box."""
        disk = {folder: MemoryWorkspace(self.clock) for folder in (HOME, TEMPORARY)}
        if snapshot_id is not None:
            for folder, workspace in self.snapshots[snapshot_id].items():
                disk[folder] = workspace.copy()
        return ScriptedBox(self, devbox, disk)

    def snapshot_size(self, snapshot_id: str) -> int:
        """Return how many bytes a snapshot has."""
        return sum(workspace.used() for workspace in self.snapshots[snapshot_id].values())

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Forget a snapshot."""
        del self.snapshots[snapshot_id]

    def close(self) -> None:
        """Forget everything."""
        self.snapshots.clear()


@attrs.define
class _ScriptedSaving:
    clock: WaitingClock
    due: float

    def poll(self) -> Optional[str]:
        return "" if self.clock.monotonic() >= self.due else None

    def next_change(self) -> float:
        return self.due

    def cancel(self) -> None:
        pass


class ScriptedBox:
    """The disk of a devbox in memory, and its commands that have not ended.

    A command writes its output when it starts. It ends when its execution time has passed; with
    ``keeps_running``, when it is killed or gets the end of its standard input.
    """

    def __init__(self, host: ScriptedHost, devbox: Listener, disk: Disk) -> None:
        self._host = host
        self._devbox = devbox
        self._disk = disk
        self._due: dict[str, tuple[float, Execution, ScriptedResult]] = {}

    def workspace(self, folder: str) -> MemoryWorkspace:
        """Return the files of a folder."""
        return self._disk[folder]

    def prepare(self, execution: Execution) -> None:
        """Find the script."""
        execution.prepared = self._host.executor.answer(
            ScriptedExecution(
                code=None,
                command=execution.command,
                env={**self._devbox.environment, **execution.environment},
                timeout=_NO_LIMIT,
                session_id=self._devbox.id,
                workspace=self._disk[HOME],
            )
        )

    def start(self, execution: Execution) -> None:
        """Write the output of the script."""
        result: ScriptedResult = execution.prepared
        for item in result.items():
            if isinstance(item, Output):
                self._devbox.wrote(execution, item.kind, item.text)
        seconds = float("inf") if result.keeps_running else result.execution_time / 1000
        started = self._host.clock.monotonic() if execution.started is None else execution.started
        self._due[execution.id] = (started + seconds, execution, result)

    def kill(self, execution: Execution, *, group: bool) -> None:
        """End it."""
        del group
        self._end(execution, KILLED)

    def interrupt(self, execution: Execution) -> None:
        """End it as by Ctrl-C."""
        self._end(execution, _INTERRUPTED)

    def feed(self, execution: Execution, text: Optional[str]) -> None:
        """End it with the exit code of its script if this is the end of its input."""
        if text is None:
            self._end(execution, execution.prepared.exit_code)

    def next_change(self) -> Optional[float]:
        """Return when the next command ends."""
        due = min((due for due, _, _ in self._due.values()), default=float("inf"))
        return None if due == float("inf") else due

    def settle(self, at: float) -> None:
        """End the commands that are due."""
        for due, execution, result in list(self._due.values()):
            if due <= at:
                del self._due[execution.id]
                self._devbox.finished(execution, result.exit_code, due)

    def _end(self, execution: Execution, exit_status: int) -> None:
        self._due.pop(execution.id, None)
        self._devbox.finished(execution, exit_status, self._host.clock.monotonic())

    def save(self, snapshot_id: str) -> _ScriptedSaving:
        """Copy the files."""
        self._host.snapshots[snapshot_id] = {
            folder: workspace.copy() for folder, workspace in self._disk.items()
        }
        clock = self._host.clock
        return _ScriptedSaving(clock, clock.monotonic() + self._host.snapshot_time)

    def end_processes(self) -> None:
        """Forget the commands."""
        self._due.clear()

    def remove(self) -> None:
        """Forget the commands and the files."""
        self._due.clear()
        for workspace in self._disk.values():
            workspace.remove()
