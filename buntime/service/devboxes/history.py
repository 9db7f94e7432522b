"""The past of a devbox: its executions, its statuses and its log."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, Optional

import attrs

from buntime.service.devboxes.box import Execution
from buntime.service.devboxes.errors import ApiError, missing

_MOST = 1000
_MOST_OUTPUT = 256 * 2**20


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
        if command_id is None:
            return None
        return next((each for each in self.all() if each.command_id == command_id), None)

    def first_in_shell(self, shell_name: Optional[str]) -> Optional[Execution]:
        """Return the execution of a shell for which later ones wait, if there is one."""
        if shell_name is None:
            return None
        return next((each for each in self.unfinished() if each.shell_name == shell_name), None)

    def add(self, execution: Execution) -> bool:
        """Add an execution; return whether it can start now. A 409 if 1,000 are in progress."""
        self.forget_old(_MOST_OUTPUT, most=_MOST - 1)
        if len(self._executions) >= _MOST:
            raise ApiError(409, f"The devbox has {_MOST} executions in progress")
        self._executions[execution.id] = execution
        return self.first_in_shell(execution.shell_name) in {None, execution}

    def forget_old(self, most_output: int, *, most: int = _MOST) -> None:
        """Forget the oldest ended executions, until the others have at most so many bytes of output."""
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
