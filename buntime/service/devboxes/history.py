"""The past of a devbox: its executions with their output, its statuses and its log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Literal, Optional

import attrs

from buntime._support.collected_text import marker
from buntime.service.devboxes.errors import ApiError, missing

_HALF = 8 * 2**20
_PIECE = 64 * 1024
_MOST = 1000
_MOST_OUTPUT = 256 * 2**20

Source = Literal["exec", "setup_commands", "entrypoint"]

Event = tuple[float, Callable[[float], None]]
"""A time on the monotonic clock, and a function that is called with it when it has come."""


class OutputLog:
    """One output stream. Of more than 16 MB, the first and the last 8 MB are stored.

    An offset counts the bytes of the text in UTF-8 since the start.
    """

    def __init__(self) -> None:
        self._first = bytearray()
        self._last = bytearray()
        self._last_start = 0
        self.size: int = 0

    @property
    def stored(self) -> int:
        """How many bytes are stored."""
        return len(self._first) + len(self._last)

    def add(self, text: str) -> None:
        """Append a piece of text."""
        data = text.encode("utf-8", "replace")
        self.size += len(data)
        if not self._last and len(self._first) + len(data) <= _HALF:
            self._first += data
            self._last_start = self.size
            return
        self._last += data
        if len(self._last) > 2 * _HALF:
            # Rarely, so that adding a piece takes constant time on average.
            cut = _boundary(self._last, len(self._last) - _HALF)
            del self._last[:cut]
            self._last_start += cut

    def read(self, offset: int) -> tuple[int, str, int]:
        """Return a piece from ``offset`` on: its start, its text, and the offset after it.

        Empty at the end. A part that is not stored is replaced by a line with its size.
        """
        if offset < len(self._first):
            end = _boundary(self._first, min(len(self._first), offset + _PIECE))
            return offset, _decode(self._first[offset:end]), end
        if offset < self._last_start:
            return offset, marker(self._last_start - offset), self._last_start
        start = offset - self._last_start
        end = _boundary(self._last, min(len(self._last), start + _PIECE))
        return offset, _decode(self._last[start:end]), max(offset, self._last_start + end)

    def last_lines(self, count: int) -> tuple[str, bool]:
        """Return the last lines, and whether there are more."""
        gap = self._last_start - len(self._first)
        data = self._first + (marker(gap).encode() if gap else b"") + self._last
        if not count:
            return "", self.size > 0
        end = len(data) - data.endswith(b"\n")
        for _ in range(count):
            at = data.rfind(b"\n", 0, end)
            if at < 0:
                return _decode(data), gap > 0
            end = at
        return _decode(data[end + 1 :]), True


def _boundary(data: bytearray, at: int) -> int:
    """Return the start of the character at an index, or the index itself at the end."""
    while 0 < at < len(data) and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


def _decode(data: bytearray) -> str:
    return data.decode("utf-8", "replace")


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
    """Relative to the home of the devbox."""
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


class Commands:
    """Executions by id. In a shell one runs at a time, the oldest that has not ended.

    Of more than 1,000 executions or 256 MB of output, the oldest that have ended are forgotten.
    """

    def __init__(self) -> None:
        self._executions: dict[str, Execution] = {}

    def all(self) -> list[Execution]:
        """Return all executions, the oldest first."""
        return list(self._executions.values())

    def unfinished(self) -> Iterator[Execution]:
        """Yield those that run or are queued."""
        return (each for each in self.all() if each.exit_status is None)

    def get(self, execution_id: str) -> Execution:
        """Return an execution; a 404 if there is none."""
        execution = self._executions.get(execution_id)
        if execution is None:
            raise missing("Execution", execution_id)
        return execution

    def with_command_id(self, command_id: Optional[str]) -> Optional[Execution]:
        """Return the execution that a client named, if there is one."""
        named = (each for each in self.all() if each.command_id == command_id)
        return None if command_id is None else next(named, None)

    def first_in_shell(self, shell_name: Optional[str]) -> Optional[Execution]:
        """Return the execution of a shell for which later ones wait, if there is one."""
        in_shell = (each for each in self.unfinished() if each.shell_name == shell_name)
        return None if shell_name is None else next(in_shell, None)

    def add(self, execution: Execution) -> bool:
        """Add an execution; return whether it can start now. A 409 if 1,000 are in progress."""
        self.forget_old(_MOST_OUTPUT, most=_MOST - 1)
        if len(self._executions) >= _MOST:
            raise ApiError(409, f"The devbox has {_MOST} executions in progress")
        self._executions[execution.id] = execution
        return self.first_in_shell(execution.shell_name) in {None, execution}

    def forget_old(self, most_output: int, *, most: int = _MOST) -> None:
        """Forget the oldest ended executions.

        Stop when at most ``most_output`` bytes of output and ``most`` executions remain.
        """
        size = sum(each.stored for each in self._executions.values())
        for execution in self.all():
            if size <= most_output and len(self._executions) <= most:
                break
            if execution.exit_status is not None:
                size -= execution.stored
                del self._executions[execution.id]


@attrs.define
class History:
    """The last 1,000 statuses and lines of the log. Times are seconds on the monotonic clock."""

    epoch: float
    """The monotonic clock's zero, in seconds since the epoch."""
    transitions: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=_MOST))
    """The statuses in the form of a response."""
    reasons: dict[str, str] = attrs.field(factory=dict)
    notes: deque[tuple[float, str]] = attrs.field(factory=lambda: deque(maxlen=_MOST))

    def milliseconds(self, at: float) -> int:
        """Return a time as milliseconds since the epoch."""
        return round(1000 * (self.epoch + at))

    @property
    def status(self) -> str:
        """The last status."""
        return str(self.transitions[-1]["status"]) if self.transitions else "provisioning"

    def add(self, status: str, at: float, reasons: Mapping[str, str]) -> None:
        """Add a status, and the reasons for it."""
        transition: dict[str, Any] = {"status": status, "transition_time_ms": self.milliseconds(at)}
        if "failure_reason" in reasons:
            transition["failure_reason"] = reasons["failure_reason"]
        self.transitions.append(transition)
        self.reasons.update(reasons)
