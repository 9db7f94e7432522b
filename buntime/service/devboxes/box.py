"""The computer and the clock of a devbox: the interface between the model and whatever runs its commands."""

from __future__ import annotations

import secrets
import string
import threading
from typing import Any, Optional, Protocol

import attrs

from buntime.service.clock import ServiceClock
from buntime.service.devboxes.history import Execution
from buntime.service.devboxes.storage import Store
from buntime.service.workspace.base import Workspace

HOME = "/home/user"
"""The folder in which commands start, and to which relative paths belong."""

TEMPORARY = "/tmp"  # noqa: S108 - a devbox's own

_LETTERS = string.ascii_letters + string.digits
_LONGEST_WAIT = 0.5


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

    def prepare(self, execution: Execution) -> None:  # noqa: ARG002 - of the protocol
        """Get ready to start an execution; an error becomes the response to the request."""
        return

    def start(self, execution: Execution) -> None:
        """Start an execution."""

    def signal(self, execution: Execution, name: str, *, group: bool = True) -> None:
        """Send ``SIGKILL`` or ``SIGINT`` to all that an execution started, or to its first process only."""

    def feed(self, execution: Execution, text: Optional[str]) -> None:
        """Write to the standard input of an execution, or end it with ``None``."""

    def save(self, snapshot_id: str) -> Saving:
        """Start to copy the disk."""
        ...

    def end_processes(self) -> None:
        """End all processes; the disk stays, and ``start`` works again. Does not wait for their end."""
        return

    def remove(self) -> None:
        """End all processes and remove the disk."""


class Host(Protocol):
    """A maker of boxes, with the disks of snapshots, a clock and ids. The times are seconds."""

    clock: ServiceClock
    store: Store
    """The contents of objects."""
    boot_time: float = 0.0
    build_time: float = 0.0
    silence: Optional[float] = 15.0
    """The time after which a stream without output has a comment."""
    network: bool = True
    """Whether boxes reach the network."""
    ended_holds: int = 0
    """How often the requests that are held were ended early, because their threads were needed."""

    def new_id(self, prefix: str) -> str:
        """Return the prefix and 20 letters and digits, never the same twice."""
        return prefix + "".join(secrets.choice(_LETTERS) for _ in range(20))

    def wait(self, changed: threading.Condition, seconds: float) -> None:
        """Wait until ``changed``, at most ``seconds``; a caller looks again, since it may return early."""
        changed.wait(min(seconds, _LONGEST_WAIT))

    def open(self, devbox: Any, snapshot_id: Optional[str]) -> Box:
        """Return the box of a :class:`Devbox`, with an empty disk, or with that of a snapshot."""
        ...

    def snapshot_size(self, snapshot_id: str) -> int:
        """Return how many bytes the files of a snapshot have together."""
        ...

    def drop_snapshot(self, snapshot_id: str) -> None:
        """Remove the disk of a snapshot."""

    def close(self) -> None:
        """Remove everything that is still there. Idempotent."""
