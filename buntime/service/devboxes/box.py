"""The computer of a devbox: the interface between the model and whatever runs its commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, Callable, Literal, Optional, Protocol

import attrs

from buntime.service.devboxes.output import OutputLog
from buntime.service.devboxes.waiting import WaitingClock
from buntime.service.workspace.base import Workspace

HOME = "/home/user"
"""The folder in which commands start, and to which relative paths belong."""

TEMPORARY = "/tmp"  # noqa: S108 - a devbox's own

Source = Literal["exec", "setup_commands", "entrypoint"]


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
    source: Source = "exec"
    working_directory: str = ""
    """Relative to :data:`HOME`."""
    environment: Mapping[str, str] = attrs.field(factory=dict)
    """Variables beyond those of the devbox."""
    on_end: Optional[Callable[[float], None]] = None
    """Called in the devbox's lock with the time of the end, unless the devbox ends or is suspended."""
    started: Optional[float] = None
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


class Listener(Protocol):
    """The devbox of a box. The box calls it in its ``lock``."""

    id: str
    environment: Mapping[str, str]
    memory: int

    @property
    def lock(self) -> Any:
        """The reentrant lock of the devbox, a context manager."""
        ...

    def wrote(self, execution: Execution, kind: str, text: str) -> None:
        """Add output; ``kind`` is ``"stdout"`` or ``"stderr"``."""
        ...

    def finished(self, execution: Execution, exit_status: int, at: float) -> None:
        """Note the end of an execution; nothing happens if it has ended before."""
        ...

    def note(self, message: str) -> None:
        """Add a line to the devbox's log."""
        ...


class Saving(Protocol):
    """A snapshot in progress."""

    def poll(self) -> Optional[str]:
        """Return ``None`` while it is in progress, ``""`` when it is complete, or the error."""
        ...

    def next_change(self) -> float:
        """Return when to poll again, on the monotonic clock."""
        ...

    def cancel(self) -> None:
        """Give it up."""
        ...


class Box(Protocol):
    """One devbox's disk and processes. Methods are called in the devbox's lock, except ``prepare``."""

    def workspace(self, folder: str) -> Workspace:
        """Return the files below :data:`HOME` or :data:`TEMPORARY`."""
        ...

    def prepare(self, execution: Execution) -> None:
        """Get ready to start an execution; an error becomes the response to the request."""
        ...

    def start(self, execution: Execution) -> None:
        """Start an execution."""
        ...

    def kill(self, execution: Execution, *, group: bool) -> None:
        """Kill an execution: its first process, or with ``group`` all that it started."""
        ...

    def interrupt(self, execution: Execution) -> None:
        """Send SIGINT to the processes of an execution."""
        ...

    def feed(self, execution: Execution, text: Optional[str]) -> None:
        """Write to the standard input of an execution, or end it with ``None``."""
        ...

    def next_change(self) -> Optional[float]:
        """Return when an execution ends by the clock, if one does."""
        ...

    def settle(self, at: float) -> None:
        """Report the executions that end by the clock, up to this time."""
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


class Store(Protocol):
    """The contents of objects, by id."""

    def write(self, name: str, file: BinaryIO) -> int:
        """Store the bytes of a file; return how many there are."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Return a content from its start."""
        ...

    def remove(self, name: str) -> None:
        """Remove a content, if there is one."""
        ...


class Host(Protocol):
    """Makes boxes, and stores the disks of snapshots. The times are seconds.

    ``network`` is whether boxes reach the network.
    """

    clock: WaitingClock
    boot_time: float
    build_time: float
    network: bool

    @property
    def store(self) -> Store:
        """The contents of objects."""
        ...

    def open(self, devbox: Listener, snapshot_id: Optional[str]) -> Box:
        """Return a box with an empty disk, or with that of a snapshot."""
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
