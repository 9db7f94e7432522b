"""Devboxes in memory: scripted commands, files in memory, a clock that tests move."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Callable, Optional

import attrs

from buntime.service.clock import ServiceClock
from buntime.service.devboxes.box import HOME, TEMPORARY, Box, Host, Saving
from buntime.service.devboxes.devbox import Devbox
from buntime.service.devboxes.history import Execution
from buntime.service.devboxes.storage import Store
from buntime.service.executors import KILLED, Output
from buntime.service.scripted.executor import ScriptedExecutor
from buntime.service.scripted.results import ScriptedExecution, ScriptedResult
from buntime.service.workspace.memory import MemoryWorkspace

_EXIT_STATUS = {"SIGKILL": KILLED, "SIGINT": 130}
_NO_LIMIT = 2**31

Disk = Mapping[str, MemoryWorkspace]


@attrs.define
class ScriptedHost(Host):
    """Makes devboxes in memory; ``advance`` moves ``clock``, which stands still."""

    clock: ServiceClock
    advance: Callable[[float], object]
    executor: ScriptedExecutor
    boot_time: float = 0.0
    build_time: float = 0.0
    snapshot_time: float = 0.0
    snapshots: dict[str, Disk] = attrs.field(factory=dict)
    store: Store = attrs.field(factory=Store)
    silence: Optional[float] = None
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    def new_id(self, prefix: str) -> str:
        """Return the prefix and a number."""
        return f"{prefix}fake{next(self._numbers):016}"

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        """Move the clock. A wait without an end is a real one: only another thread can end it."""
        if seconds == float("inf"):
            changed.wait()
            return
        # A timer of the clock may call the service in another thread's name, so the lock is free meanwhile.
        changed.release()
        try:
            self.advance(seconds)
        finally:
            changed.acquire()

    def open(self, devbox: Devbox, snapshot_id: Optional[str]) -> ScriptedBox:
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


class ScriptedBox(Box):
    """The disk of a devbox in memory.

    A command writes its output when it starts. It ends when its execution time has passed; with
    ``keeps_running``, when it is killed or gets the end of its standard input.
    """

    def __init__(self, host: ScriptedHost, devbox: Devbox, disk: Disk) -> None:
        self._host = host
        self._devbox = devbox
        self._disk = disk

    def workspace(self, folder: str) -> MemoryWorkspace:
        """Return the files of a folder."""
        return self._disk[folder]

    def prepare(self, execution: Execution) -> None:
        """Find the script."""
        execution.prepared = self._host.executor.result_for(
            ScriptedExecution(
                code=None,
                command=execution.command,
                env={**self._devbox.spec.environment, **execution.environment},
                timeout=_NO_LIMIT,
                session_id=self._devbox.id,
                workspace=self._disk[HOME],
            )
        )

    def start(self, execution: Execution) -> None:
        """Write the output of the script, and note when it ends."""
        result: ScriptedResult = execution.prepared
        for item in result.items():
            if isinstance(item, Output):
                self._devbox.wrote(execution, item.kind, item.text)
        seconds = float("inf") if result.keeps_running else result.execution_time / 1000
        if seconds < float("inf"):
            end = partial(self._devbox.finished, execution, result.exit_code)
            execution.planned_end = (execution.started or 0.0) + seconds, end

    def signal(self, execution: Execution, name: str, *, group: bool = True) -> None:  # noqa: ARG002 - of the protocol
        """End it."""
        self._end(execution, _EXIT_STATUS[name])

    def feed(self, execution: Execution, text: Optional[str]) -> None:
        """End it with the exit code of its script if this is the end of its input."""
        if text is None:
            self._end(execution, execution.prepared.exit_code)

    def _end(self, execution: Execution, exit_status: int) -> None:
        self._devbox.finished(execution, exit_status, self._host.clock.monotonic())

    def save(self, snapshot_id: str) -> Saving:
        """Copy the files."""
        self._host.snapshots[snapshot_id] = {path: files.copy() for path, files in self._disk.items()}
        return Saving(self._host.clock.monotonic() + self._host.snapshot_time)

    def remove(self) -> None:
        """Forget the files."""
        for workspace in self._disk.values():
            workspace.remove()
