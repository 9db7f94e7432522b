"""Sessions on a real Bun, without the service."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Union

import attrs

from buntime.service.executors import Execution, ExecutionOutcome, Limits, Output
from buntime.service.machine.executor import BunExecutor, BunRuntime
from buntime.service.workspace.disk import DiskWorkspace

TIMEOUT = 60.0

Items = Iterator[Union[Output, ExecutionOutcome]]


@attrs.frozen
class BunSession:
    """A session that marks its processes with a variable in their environment."""

    runtime: BunRuntime
    workspace: Path
    mark: str

    @classmethod
    def open(
        cls,
        executor: BunExecutor,
        workspace: Path,
        *,
        name: str = "ses_1",
        lifetime: float = 600,
        **limits: Any,
    ) -> BunSession:
        """Open a session on a new workspace."""
        workspace.mkdir()
        runtime = executor.open(name, DiskWorkspace(workspace), Limits(**limits), lifetime)
        return cls(runtime, workspace, f"mark-{os.getpid()}-{workspace}")

    def start(
        self,
        code: Union[str, None] = None,
        *,
        command: Union[str, None] = None,
        env: Union[Mapping[str, str], None] = None,
        timeout: int = 30,
        working_dir: str = "",
        stream: bool = True,
        item_timeout: Union[float, None] = TIMEOUT,
    ) -> Items:
        """Start an execution."""
        marked = {"MARK": self.mark, **(env or {})}
        execution = Execution(code, command, marked, timeout, working_dir, stream=stream)
        return self.runtime.run(execution, timeout=item_timeout)

    def run(self, code: Union[str, None] = None, **options: Any) -> ExecutionOutcome:
        """Run an execution to its end."""
        return outcome_of(self.start(code, **options))

    def sh(self, command: str, **options: Any) -> ExecutionOutcome:
        """Run a shell command to its end."""
        return self.run(command=command, **options)

    def host_pids(self) -> set[int]:
        """Return the live processes of this session's executions, by their pid on the host."""
        return {pid for pid in all_pids() if self.mark.encode() in read_proc(pid, "environ")}

    def wait_for_pids(self, count: int) -> set[int]:
        """Return the live processes once there are so many: during ``exec``, a process has no environment."""
        end = time.monotonic() + TIMEOUT
        while len(pids := self.host_pids()) != count:
            assert time.monotonic() < end, pids
        return pids


def outcome_of(items: Items) -> ExecutionOutcome:
    """Return the outcome of an execution, the last of its items."""
    *_, last = items
    assert isinstance(last, ExecutionOutcome)
    return last


def all_pids() -> set[int]:
    """Return the pid of every process of this machine."""
    return {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()}


def read_proc(pid: int, name: str) -> bytes:
    """Return the content of a file in ``/proc``; empty for an ended process."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def wait_for_exit(pids: set[int]) -> None:
    """Wait until all of these processes have exited, reaped or not."""
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        with open(handle, "rb"):
            assert select.select([handle], [], [], 10)[0]
