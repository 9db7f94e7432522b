"""The executions of a devbox, and the order of those in a shell with a name."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Optional

from buntime.service.devboxes.box import Execution
from buntime.service.devboxes.errors import ApiError, missing

_MOST = 1000
_MOST_OUTPUT = 256 * 2**20


class Commands:
    """Executions by id. In a shell one runs at a time, the first of its queue.

    Of more than 1,000 executions or 256 MB of output, the oldest that have ended are forgotten.
    """

    def __init__(self) -> None:
        self._executions: dict[str, Execution] = {}
        self._by_command_id: dict[str, Execution] = {}
        self._shells: dict[str, deque[Execution]] = {}

    def all(self) -> list[Execution]:
        """Return all executions, the oldest first."""
        return list(self._executions.values())

    def running(self) -> Iterator[Execution]:
        """Yield those that have not ended."""
        return (each for each in self.all() if each.exit_status is None)

    def get(self, execution_id: str) -> Execution:
        """Return an execution; a 404 if there is none."""
        execution = self._executions.get(execution_id)
        if execution is None:
            raise missing("Execution", execution_id)
        return execution

    def with_command_id(self, command_id: Optional[str]) -> Optional[Execution]:
        """Return the execution that a client named, if there is one."""
        return None if command_id is None else self._by_command_id.get(command_id)

    def is_busy(self, shell_name: Optional[str]) -> bool:
        """Return whether a command for this shell has to wait."""
        return shell_name is not None and bool(self._shells.get(shell_name))

    def add(self, execution: Execution, command_id: Optional[str] = None) -> bool:
        """Add an execution; return whether it can start now. A 409 if 1,000 are in progress."""
        self.forget_old(_MOST_OUTPUT, most=_MOST - 1)
        if len(self._executions) >= _MOST:
            raise ApiError(409, f"The devbox has {_MOST} executions in progress")
        self._executions[execution.id] = execution
        if command_id is not None:
            self._by_command_id[command_id] = execution
        if execution.shell_name is None:
            return True
        shell = self._shells.setdefault(execution.shell_name, deque())
        shell.append(execution)
        return len(shell) == 1

    def next_in_shell(self, ended: Execution) -> Optional[Execution]:
        """Take an execution that has ended out of its shell; return the one that can start now."""
        shell = self._shells.get(ended.shell_name or "", deque())
        if ended not in shell:
            return None
        was_first = shell[0] is ended
        shell.remove(ended)
        if not shell:
            del self._shells[ended.shell_name or ""]
            return None
        return shell[0] if was_first else None

    def forget_shells(self) -> None:
        """Forget all queues: the processes are ended."""
        self._shells.clear()

    def forget_old(self, most_output: int, *, most: int = _MOST) -> None:
        """Forget the oldest ended executions, until the others have at most so many bytes of output."""
        size = sum(each.stored for each in self._executions.values())
        for execution in self.all():
            if size <= most_output and len(self._executions) <= most:
                break
            if execution.exit_status is not None:
                size -= execution.stored
                del self._executions[execution.id]
        known = self._executions
        self._by_command_id = {key: each for key, each in self._by_command_id.items() if each.id in known}
