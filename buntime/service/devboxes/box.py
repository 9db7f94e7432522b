"""The computer of a devbox: the interface between the model and whatever runs its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, Literal, Optional, Protocol

import attrs

from buntime.service.clock import ServiceClock
from buntime.service.devboxes.output import OutputLog
from buntime.service.devboxes.storage import Store
from buntime.service.workspace.base import Workspace

HOME = "/home/user"
"""The folder in which commands start, and to which relative paths belong."""

TEMPORARY = "/tmp"  # noqa: S108 - a devbox's own

Source = Literal["exec", "setup_commands", "entrypoint"]

Event = tuple[float, Callable[[float], None]]
"""A time on the monotonic clock, and a function that is called with it when it has come."""


@attrs.define(eq=False)
class Execution:
    """A command of a devbox: queued until ``started``, completed once it has an ``exit_status``.

    Times are seconds on the monotonic clock.
    """

    id: str
    command: str
    created: float
    shell_name: Optional[str] = None
    attach_stdin: bool = False
    command_id: Optional[str] = None
    """The name that a client gave it: of one name, one execution runs."""
    source: Source = "exec"
    working_directory: str = ""
    """Relative to :data:`HOME`."""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    """Variables beyond those of the devbox."""
    on_end: Optional[Callable[[float], None]] = None
    """Called in the devbox's lock with the time of the end, unless the devbox ends or is suspended."""
    started: Optional[float] = None
    planned_end: Optional[Event] = None
    """Its end by the clock, if the box knows it when it starts the execution."""
    ended: Optional[float] = None
    exit_status: Optional[int] = None
    outputs: Mapping[str, OutputLog] = attrs.field(
        factory=lambda: {"stdout": OutputLog(), "stderr": OutputLog()}, repr=False
    )
    prepared: Any = None
    """A value of the box that runs it."""

    @property
    def stored(self) -> int:
        """How many bytes of its output are stored."""
        return sum(log.stored for log in self.outputs.values())

    @property
    def status(self) -> str:
        """``"queued"``, ``"running"`` or ``"completed"``."""
        if self.exit_status is not None:
            return "completed"
        return "queued" if self.started is None else "running"


@attrs.define
class Saving:
    """A copy of a disk in progress. This one needs nothing but time; ``due`` is when to poll it."""

    due: float

    def poll(self) -> Optional[str]:
        """Return ``None`` while it is in progress, ``""`` when it is complete, or the error."""
        return ""

    def cancel(self) -> None:
        """Give it up."""


class Box(Protocol):
    """One devbox's disk and processes. Methods are called in the devbox's lock, except ``prepare``.

    It reports output and ends to the methods ``wrote`` and ``finished`` of its devbox, in that lock.
    """

    def workspace(self, folder: str) -> Workspace:
        """Return the files below :data:`HOME` or :data:`TEMPORARY`."""
        ...

    def prepare(self, execution: Execution) -> None:
        """Get ready to start an execution; an error becomes the response to the request."""
        ...

    def start(self, execution: Execution) -> None:
        """Start an execution."""
        ...

    def signal(self, execution: Execution, name: str, *, group: bool = True) -> None:
        """Send ``SIGKILL`` or ``SIGINT`` to all that an execution started, or to its first process only."""
        ...

    def feed(self, execution: Execution, text: Optional[str]) -> None:
        """Write to the standard input of an execution, or end it with ``None``."""
        ...

    def save(self, snapshot_id: str) -> Saving:
        """Start to copy the disk."""
        ...

    def end_processes(self) -> None:
        """End all processes; the disk stays, and ``start`` works again. Does not wait for their end."""
        ...

    def remove(self) -> None:
        """End all processes and remove the disk."""
        ...


class Host(Protocol):
    """Makes boxes, and stores the disks of snapshots. The times are seconds.

    ``network`` is whether boxes reach the network; ``store`` has the contents of objects.
    """

    clock: ServiceClock
    boot_time: float
    build_time: float
    network: bool
    store: Store

    def open(self, devbox: Any, snapshot_id: Optional[str]) -> Box:
        """Return the box of a :class:`Devbox`, with an empty disk, or with that of a snapshot."""
        ...

    def snapshot_size(self, snapshot_id: str) -> int:
        """Return how many bytes the files of a snapshot have together."""
        ...

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Remove the disk of a snapshot."""
        ...

    def close(self) -> None:
        """Remove everything that is still there. Idempotent."""
        ...
