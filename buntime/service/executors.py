"""What runs code for a session, seen from the service model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Protocol, Union

import attrs

from buntime.service.workspaces import Workspace


@attrs.frozen
class Limits:
    """The resources of one session: ``memory`` and ``disk`` in MB, ``cpu`` in cores, ``timeout`` in seconds."""

    memory: int = 1024
    cpu: float = 0.25
    timeout: int = 30
    disk: int = 1024


@attrs.frozen
class Execution:
    """One execution: either ``code`` or ``command``; ``timeout`` in seconds.

    ``working_dir`` is relative to the workspace, ``""`` for the workspace itself, and exists.
    """

    code: str | None
    command: str | None
    env: Mapping[str, str]
    timeout: int
    working_dir: str = ""


@attrs.frozen
class Output:
    """A piece of output, as it came."""

    kind: Literal["stdout", "stderr"]
    text: str


@attrs.frozen
class Outcome:
    """How an execution ended. Times in milliseconds, memory in bytes (peak)."""

    stdout: str
    stderr: str
    exit_code: int
    execution_time: float
    memory_used: int
    cpu_time: float
    timed_out: bool = False


class Runtime(Protocol):
    """Where the executions of one session run, together."""

    def run(self, execution: Execution, *, patience: float | None = None) -> Iterator[Union[Output, Outcome]]:
        """Run it; yield each output as it comes and the outcome last.

        The execution starts before the first item is asked for, and goes on when the iterator is
        dropped. ``patience`` is the longest wait for the next item in seconds; a longer one raises
        ``TimeoutError`` and the execution goes on.
        """
        ...

    def kill(self, pid: int | None) -> list[int]:
        """End one process of the session, or all of them; return the pids that were ended."""
        ...

    def processes(self) -> int:
        """Return how many processes of executions are alive."""
        ...

    def end_processes(self) -> None:
        """End every process, running executions included; the workspace stays and ``run`` works again."""
        ...

    def close(self) -> None:
        """End every process for good. Running executions end as killed. Idempotent."""
        ...


class Executor(Protocol):
    """Opens a runtime for each session."""

    def open(self, session_id: str, workspace: Workspace, limits: Limits, lifetime: float) -> Runtime:
        """Return the runtime of a new session that lives for ``lifetime`` seconds at most."""
        ...

    def preview_url(self, session_id: str) -> str:
        """Return the URL under which a server on the session's port 8080 is reached."""
        ...

    def close(self) -> None:
        """Release everything. Idempotent."""
        ...
