"""What runs code for a session, seen from the service model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, Protocol, Union

import attrs

from buntime.service.workspace.base import Workspace

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

    ``working_dir`` is relative to the workspace, ``""`` for the workspace itself, and exists. ``files``
    are those of the request, by path, already in the workspace. With ``stream=False`` nobody looks at the
    output before the end, and an executor may keep it until then. Of stdout and stderr an executor keeps
    about ``max_output`` bytes each, the first and the last half, with a line in place of the rest.
    """

    code: str | None
    command: str | None
    env: Mapping[str, str]
    timeout: int
    working_dir: str = ""
    files: Mapping[str, str] = attrs.field(factory=dict, repr=False, eq=False)
    stream: bool = True
    max_output: int = MAX_OUTPUT


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


class ExecutionLost(Exception):  # noqa: N818 - named for what happened, as the service's code is
    """The executor can no longer say how an execution ended; the service answers 500 ``execution_lost``."""


class ResourceExceeded(Exception):  # noqa: N818 - as above
    """An execution went over a resource of its session; the service answers 507.

    ``code`` is the service's, ``"memory_limit_exceeded"`` or ``"disk_full"``; ``details`` is a JSON
    object that names the limit and the value.
    """

    def __init__(self, code: str, message: str, details: Mapping[str, object] | None = None) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details: dict[str, object] = dict(details or {})

    def __str__(self) -> str:
        return self.message


class Runtime(Protocol):
    """Where the executions of one session run, together."""

    def run(self, execution: Execution, *, timeout: float | None = None) -> Iterator[Union[Output, Outcome]]:
        """Run it; yield each output as it comes and the outcome last.

        The execution starts before the first item is asked for, and goes on when the iterator is
        dropped. ``timeout`` is the longest wait for the next item in seconds; where it is longer,
        ``next()`` raises ``TimeoutError``, which means "not yet": the execution goes on and the same
        iterator can be asked again. So it is an object of a class with ``__next__``, not a generator,
        which an exception would end. After the outcome comes ``StopIteration``.

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
        """Return the runtime of a new session that lives for ``lifetime`` seconds at most."""
        ...

    def preview_url(self, session_id: str) -> str:
        """Return the URL under which a server on the session's port 8080 is reached."""
        ...

    def close(self) -> None:
        """Release everything. Idempotent."""
        ...
