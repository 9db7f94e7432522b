"""An executor that runs nothing: each execution has the result that was scripted for it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, Union, cast

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.errors import ServiceError
from buntime.service.executors import Execution, ExecutionOutcome, Limits, Output
from buntime.service.scripted import helpers
from buntime.service.scripted.file_helpers import MutableWorkspace
from buntime.service.scripted.functions import CallScript, CallScripts
from buntime.service.scripted.processes import Pause, ScriptedProcesses
from buntime.service.scripted.results import ScriptedExecution, ScriptedResult
from buntime.service.workspace.base import PathError, Workspace

Code = Union[str, "re.Pattern[str]", Callable[[ScriptedExecution], bool]]
Handler = Callable[[ScriptedExecution], Union[ScriptedResult, str, None]]


class HandlerFailed(BaseException):
    """A handler or predicate raised ``__cause__``. Not an ``Exception``, so that the service lets it pass."""


class Script:
    """Matches executions, and returns their results: from one handler, or each of a list once."""

    def __init__(
        self,
        matches: Callable[[ScriptedExecution], bool],
        description: str,
        results: Handler | Sequence[ScriptedResult],
    ) -> None:
        self._matches = matches
        self._description = description
        self._results = results
        self.calls: int = 0
        """How many executions it matched."""

    def __repr__(self) -> str:
        return f"on_execute({self._description})"

    @property
    def remaining(self) -> int | None:
        """How many results are not used yet, or ``None`` for a handler."""
        return None if callable(self._results) else len(self._results) - self.calls

    def take(self, execution: ScriptedExecution) -> Callable[[], ScriptedResult] | None:
        """Return a function that returns the next result, or ``None`` if this script does not apply."""
        if self.remaining == 0 or not self._matches(execution):
            return None
        self.calls += 1
        if callable(self._results):
            handler = self._results
            return lambda: _result_of(handler(execution))
        result = self._results[self.calls - 1]
        return lambda: result


def _result_of(value: ScriptedResult | str | None) -> ScriptedResult:
    if isinstance(value, ScriptedResult):
        return value
    if value is None or isinstance(value, str):
        return ScriptedResult(stdout=value or "")
    raise TypeError(f"a handler returns a ScriptedResult, a str or None, not {type(value).__name__}")


class ScriptedExecutor:
    """Answers executions from scripts, tried in the order they were added.

    Helpers of the client need no script: they act on the workspace. An execution without a script is a 501
    ``unscripted_execution``. ``pause`` lets seconds pass while a client waits for a background process; by
    default the executor really waits.
    """

    def __init__(self, pause: Pause | None = None) -> None:
        self.pause = pause
        self.calls: CallScripts = CallScripts()
        """The scripts of called functions."""
        self._scripts: list[Script] = []
        self._lock = reset_after_fork(threading.Lock())

    def add(
        self,
        code: Code | None,
        *,
        contains: str | None,
        command: str | re.Pattern[str] | None,
        results: Handler | Sequence[ScriptedResult],
    ) -> Script:
        """Add a script. Exactly one of ``code``, ``contains`` and ``command`` selects its executions."""
        matches, description = _matcher(code, contains, command)
        script = Script(matches, description, results)
        with self._lock:
            self._scripts.append(script)
        return script

    def unused(self) -> list[Union[Script, CallScript]]:
        """Return the scripts that matched nothing, or have results that were not used."""
        with self._lock:
            unused = [script for script in self._scripts if not script.calls or script.remaining]
        return [*unused, *self.calls.unused()]

    def result_for(self, execution: ScriptedExecution) -> ScriptedResult:
        """Return the result of the first script that has one; a 501 if there is none."""
        if execution.code is not None and helpers.is_helper(execution.code):
            arguments = helpers.arguments_of(execution.code)
            if arguments.get("op") != "run":
                return self._run_helper(arguments, execution)
            try:
                execution = helpers.program_of(arguments, execution)
            except (OSError, PathError) as error:
                message = f"buntime: the program cannot be started: {error}\n"
                return ScriptedResult(stderr=message, exit_code=126)
        try:
            # A handler may wait for another execution, so it runs outside the lock.
            with self._lock:
                take = next(filter(None, (script.take(execution) for script in self._scripts)), None)
            result = None if take is None else take()
        except Exception as error:
            raise HandlerFailed from error
        if result is None:
            raise self._unscripted(execution)
        for path, content in result.files.items():
            execution.workspace.write(path, content.encode())
        return result

    def _run_helper(self, arguments: Mapping[str, Any], execution: ScriptedExecution) -> ScriptedResult:
        # A header may have anything here; a list has no hash.
        if arguments.get("op") not in ("call", "repl_eval"):
            return ScriptedResult(stdout=helpers.run(arguments, execution.workspace))
        try:
            # The workspace of a scripted session is in memory, where a file can be deleted.
            return self.calls.result_for(arguments, cast("MutableWorkspace", execution.workspace))
        except ServiceError:
            raise
        except Exception as error:
            raise HandlerFailed from error

    def _unscripted(self, execution: ScriptedExecution) -> ServiceError:
        used_up = [repr(script) for script in self._scripts if script.remaining == 0]
        program = f"command={execution.command!r}" if execution.code is None else _excerpt(execution.code)
        message = f"No script matches this execution. To add one: fake.on_execute({program}, stdout=...)"
        if used_up:
            message += f". Used up: {', '.join(used_up)}"
        details = {"code": execution.code, "command": execution.command}
        return ServiceError("unscripted_execution", message, details)

    def open(self, session_id: str, workspace: Workspace, limits: Limits, lifetime: float) -> ScriptedRuntime:
        """Return the runtime of a new session."""
        del limits, lifetime
        return ScriptedRuntime(self, session_id, workspace)

    def preview_url(self, session_id: str) -> str:
        """Return the URL that the live service would give the session."""
        return f"https://{session_id.replace('_', '-')}.buntime.sh"

    def close(self) -> None:
        """Do nothing: it holds nothing."""


class ScriptedRuntime:
    """The executions of one session. Each ends at its start; background processes may go on."""

    def __init__(self, executor: ScriptedExecutor, session_id: str, workspace: Workspace) -> None:
        self._executor = executor
        self._session_id = session_id
        self._workspace = workspace
        self._processes = ScriptedProcesses(executor.result_for, executor.pause)

    def run(
        self, execution: Execution, *, timeout: float | None = None
    ) -> Iterator[Union[Output, ExecutionOutcome]]:
        """Return the scripted items."""
        del timeout
        scripted = ScriptedExecution(
            **attrs.asdict(execution, recurse=False), session_id=self._session_id, workspace=self._workspace
        )
        if execution.code is not None and helpers.is_helper(execution.code):
            arguments = helpers.arguments_of(execution.code)
            if self._processes.handles(str(arguments.get("op"))):
                output = self._processes.run_helper(arguments, scripted)
                return ScriptedResult(stdout=output).items()
        maximum = execution.max_output if execution.stream else None  # as of a real one
        return self._executor.result_for(scripted).items(maximum)

    def kill(self, pid: int | None) -> list[int]:
        """End one background process, or all; return the pids."""
        return self._processes.end(pid)

    def processes(self) -> int:
        """Return how many background processes run."""
        return len(self._processes.running())

    def end_processes(self) -> None:
        """End the background processes."""
        self._processes.end(None)

    def close(self) -> None:
        """End the background processes."""
        self._processes.end(None)


def _matcher(
    code: Code | None, contains: str | None, command: str | re.Pattern[str] | None
) -> tuple[Callable[[ScriptedExecution], bool], str]:
    """Return the predicate of a script, and its description for messages."""
    if sum(selector is not None for selector in (code, contains, command)) != 1:
        raise TypeError("on_execute needs exactly one of code, contains= and command=")
    if contains is not None:
        if not isinstance(contains, str):
            raise TypeError(f"contains= must be a str, not {type(contains).__name__}")
        return (lambda execution: contains in (execution.code or "")), f"contains={contains!r}"
    if command is not None:
        if not isinstance(command, (str, re.Pattern)):
            raise TypeError(f"command= must be a str or a compiled pattern, not {type(command).__name__}")
        return (lambda execution: _fits(command, execution.command)), f"command={command!r}"
    if isinstance(code, (str, re.Pattern)):
        description = _excerpt(code) if isinstance(code, str) else repr(code)
        return (lambda execution: _fits(code, execution.code)), description
    if callable(code):
        return code, getattr(code, "__name__", repr(code))
    raise TypeError(f"code must be a str, a compiled pattern or a predicate, not {type(code).__name__}")


def _fits(expected: str | re.Pattern[str], program: str | None) -> bool:
    if program is None:
        return False
    return expected == program if isinstance(expected, str) else expected.search(program) is not None


def _excerpt(code: str) -> str:
    if len(code) <= 80 and "\n" not in code:
        return repr(code)
    line = next((line.strip() for line in code.splitlines() if line.strip()), "")
    return f"contains={line[:80]!r}"
