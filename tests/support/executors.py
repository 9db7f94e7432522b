"""An executor whose executions are generators that a test writes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Callable, Union

import attrs

from buntime._http import Request, Response
from buntime.service.executors import Execution, ExecutionOutcome, Limits, Output
from buntime.service.sessions.app import Service
from buntime.service.workspace.base import Workspace


class Silence:
    """An item at which an executor stays silent until the caller's timeout."""


Item = Union[Output, ExecutionOutcome, Silence]
Script = Callable[["PlayedRuntime", Execution], Iterator[Item]]


def outcome(
    stdout: str = "", stderr: str = "", exit_code: int = 0, *, timed_out: bool = False
) -> ExecutionOutcome:
    """Return an outcome that took 45 ms."""
    return ExecutionOutcome(stdout, stderr, exit_code, 45.2, 12_582_912, 41.7, timed_out)


def echo(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
    """Print the code or the command."""
    text = execution.code if execution.code is not None else execution.command or ""
    yield Output("stdout", text)
    yield outcome(text)


def until_closed(runtime: PlayedRuntime, execution: Execution) -> Iterator[Item]:
    """Run until the runtime is closed, then end as killed."""
    yield Output("stdout", "started")
    runtime.running.set()
    assert runtime.closed.wait(10)
    yield outcome("started", exit_code=137)


class PlayedItems:
    """The items of a script; a :class:`Silence` raises ``TimeoutError``, and the script continues."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items

    def __iter__(self) -> PlayedItems:
        return self

    def __next__(self) -> Output | ExecutionOutcome:
        item = next(self._items)
        if isinstance(item, Silence):
            raise TimeoutError("not yet")
        return item


@attrs.define
class PlayedRuntime:
    """A runtime that plays one script for every execution, and records its calls."""

    workspace: Workspace
    limits: Limits
    lifetime: float
    script: Script
    pids: list[int] = attrs.Factory(list)
    executions: list[Execution] = attrs.Factory(list)
    timeouts: list[float | None] = attrs.Factory(list)
    refusal: Exception | None = None
    put_to_sleep: int = 0
    running: threading.Event = attrs.Factory(threading.Event)
    closed: threading.Event = attrs.Factory(threading.Event)

    def run(
        self, execution: Execution, *, timeout: float | None = None
    ) -> Iterator[Output | ExecutionOutcome]:
        """Play the script, or raise ``refusal`` if it is set."""
        self.executions.append(execution)
        self.timeouts.append(timeout)
        if self.refusal is not None:
            raise self.refusal
        return PlayedItems(self.script(self, execution))

    def kill(self, pid: int | None) -> list[int]:
        """End the processes in ``pids``."""
        ended = [other for other in self.pids if pid in {None, other}]
        self.pids = [other for other in self.pids if other not in ended]
        return ended

    def processes(self) -> int:
        """Return the number of ``pids``."""
        return len(self.pids)

    def end_processes(self) -> None:
        """End all ``pids``."""
        self.pids.clear()
        self.put_to_sleep += 1

    def close(self) -> None:
        """Signal the scripts to end."""
        self.pids.clear()
        self.closed.set()


class PlayedExecutor:
    """Opens runtimes that play ``script``; ``runtimes`` maps session ids to them."""

    def __init__(self, script: Script = echo) -> None:
        self.script = script
        self.runtimes: dict[str, PlayedRuntime] = {}
        self.closed = 0

    def open(self, session_id: str, workspace: Workspace, limits: Limits, lifetime: float) -> PlayedRuntime:
        """Return a new runtime."""
        self.runtimes[session_id] = PlayedRuntime(workspace, limits, lifetime, self.script)
        return self.runtimes[session_id]

    def preview_url(self, session_id: str) -> str:
        """Return a URL without a server."""
        return f"https://{session_id.replace('_', '-')}.buntime.sh"

    def close(self) -> None:
        """Count the call."""
        self.closed += 1


@attrs.frozen
class ServiceTransport:
    """A service as a transport, for a server."""

    service: Service

    def send(self, request: Request, /) -> Response:
        """Return the response."""
        return self.service.handle(request)

    def close(self) -> None:
        """Close the service."""
        self.service.close()
