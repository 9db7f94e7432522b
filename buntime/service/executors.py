"""The interface between the service model and whatever runs its code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, Optional, Protocol, Union

import attrs

from buntime.service.errors import ServiceError

if TYPE_CHECKING:
    from buntime.service.workspace.base import Workspace

MB = 1024 * 1024
"""The bytes of a megabyte, as limits count it."""

TIMED_OUT = 124
"""The exit code of an execution that reached its time limit."""

KILLED = 137
"""The exit code of a process that was killed."""

HELPER_MARK = "// buntime:helper "
"""The start of code that a client runs for itself; JSON with the helper's ``op`` follows on the line."""

MAX_OUTPUT = 10 * 2**20
"""How many bytes are kept of each output stream of an execution, by default."""


@attrs.frozen
class Limits:
    """The resources of a session: ``memory`` and ``disk`` in MB, ``cpu`` in cores, ``timeout`` in seconds."""

    memory: int = 1024
    cpu: float = 0.25
    timeout: int = 30
    disk: int = 1024


@attrs.frozen
class Execution:
    """One execution: either ``code`` or ``command``; ``timeout`` in seconds.

    ``working_dir`` is an existing folder, relative to the workspace. ``files`` are the files of the request
    by path, already in the workspace. With ``stream=False`` an executor may keep the output until the end.
    Of stdout and stderr it keeps about ``max_output`` bytes each: the first and the last half, with a line
    between.
    """

    code: Optional[str]
    command: Optional[str]
    env: Mapping[str, str]
    timeout: int
    working_dir: str = ""
    files: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)
    stream: bool = True
    max_output: int = MAX_OUTPUT


@attrs.frozen
class Output:
    """A piece of output."""

    kind: Literal["stdout", "stderr"]
    text: str


@attrs.frozen
class ExecutionOutcome:
    """How an execution ended. Times in milliseconds, memory in bytes (peak)."""

    stdout: str
    stderr: str
    exit_code: int
    execution_time: float
    memory_used: int
    cpu_time: float
    timed_out: bool = False
    no_process_left: bool = False
    """Whether it is known that no process of the session was alive after it."""


class ExecutionLost(ServiceError):  # noqa: N818 - named for what happened, as its code is
    """The executor can no longer report how an execution ended: 500 ``execution_lost``."""

    def __init__(self, reason: str) -> None:
        super().__init__("execution_lost", f"The execution was lost: {reason}")


class ResourceExceeded(ServiceError):  # noqa: N818 - as above
    """An execution exceeded a resource of its session: 507 ``memory_limit_exceeded`` or ``disk_full``."""


class Runtime(Protocol):
    """Runs the executions of one session."""

    def run(
        self, execution: Execution, *, timeout: float | None = None
    ) -> Iterator[Union[Output, ExecutionOutcome]]:
        """Start an execution; yield each output as it arrives and the outcome last.

        The execution starts before the first item is requested, and goes on if the iterator is dropped.
        ``timeout`` is the longest wait for the next item in seconds. After it ``next()`` raises
        ``TimeoutError``, which means "not yet": the same iterator can be used again. So it must be an object
        with ``__next__``, not a generator, which an exception would end.

        Raises :class:`ExecutionLost` and :class:`ResourceExceeded`, here and from ``next()``.
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
        """Return the runtime of a new session that lives for at most ``lifetime`` seconds."""
        ...

    def preview_url(self, session_id: str) -> str:
        """Return the URL under which a server on the session's port 8080 is reached."""
        ...

    def close(self) -> None:
        """Release everything. Idempotent."""
        ...
