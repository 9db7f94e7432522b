"""An executor that runs nothing: each execution gets the result it was scripted to have."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Callable, Literal, Optional, Union, cast

import attrs
from attrs.validators import deep_mapping
from attrs.validators import instance_of as _is

from buntime._support.forks import reset_after_fork
from buntime.service.errors import ServiceError
from buntime.service.executors import Execution, Limits, Outcome, Output
from buntime.service.scripted import helpers
from buntime.service.scripted.file_helpers import MutableWorkspace
from buntime.service.scripted.functions import CallScript, CallScripts
from buntime.service.scripted.processes import Pause, ScriptedProcesses
from buntime.service.workspace.base import Workspace

Chunk = tuple[Literal["stdout", "stderr"], str]
Code = Union[str, "re.Pattern[str]", Callable[["ScriptedExecution"], bool]]


@attrs.frozen
class ScriptedExecution:
    """What a handler sees: the execution, the files of its request, and the workspace it may change."""

    code: Optional[str]
    command: Optional[str]
    env: Mapping[str, str]
    files: Mapping[str, str]
    timeout: int
    working_dir: str
    session_id: str
    workspace: Workspace = attrs.field(repr=False)


def _chunk(piece: Chunk) -> Chunk:
    kind, text = piece
    if kind not in {"stdout", "stderr"} or not isinstance(text, str):
        raise TypeError(f"chunks holds {piece!r}, which is no ('stdout' or 'stderr', text)")
    return kind, text


@attrs.frozen
class ScriptedResult:
    """What an execution ends with.

    ``chunks`` is the output in the pieces and the order in which a stream brings it; where it is left
    out, stdout comes in one piece and stderr after it. Times are milliseconds, memory is bytes.
    """

    stdout: str = attrs.field(default="", validator=_is(str))
    stderr: str = attrs.field(default="", validator=_is(str))
    exit_code: int = attrs.field(default=0, validator=_is(int))
    execution_time: float = attrs.field(default=1.0, validator=_is((int, float)))
    memory_used: int = attrs.field(default=12_582_912, validator=_is(int))
    cpu_time: float = attrs.field(default=1.0, validator=_is((int, float)))
    timed_out: bool = False
    chunks: Optional[tuple[Chunk, ...]] = None
    files: Mapping[str, str] = attrs.field(factory=dict, validator=deep_mapping(_is(str), _is(str)))
    """Written to the workspace, as the code would have."""
    keeps_running: bool = False
    """A background process with this result runs until it is killed, as a server does."""

    @classmethod
    def make(
        cls, *, chunks: Iterable[Chunk] | None = None, timed_out: bool = False, **fields: object
    ) -> ScriptedResult:
        """Return a result; ``chunks`` give it its stdout and stderr, ``timed_out`` its exit code 124."""
        if timed_out:
            fields.setdefault("exit_code", 124)
        if chunks is None:
            return cls(timed_out=timed_out, **fields)  # type: ignore[arg-type] # attrs checks the names
        if "stdout" in fields or "stderr" in fields:
            raise TypeError("give the output as chunks, or as stdout and stderr, not as both")
        pieces = tuple(map(_chunk, chunks))
        joined = {
            kind: "".join(text for name, text in pieces if name == kind) for kind in ("stdout", "stderr")
        }
        return cls(timed_out=timed_out, chunks=pieces, **joined, **fields)  # type: ignore[arg-type] # as above

    def items(self) -> Iterator[Union[Output, Outcome]]:
        """Yield the output and the outcome."""
        whole: tuple[Chunk, ...] = (("stdout", self.stdout), ("stderr", self.stderr))
        for kind, text in whole if self.chunks is None else self.chunks:
            if text:
                yield Output(kind, text)
        yield Outcome(
            self.stdout,
            self.stderr,
            self.exit_code,
            self.execution_time,
            self.memory_used,
            self.cpu_time,
            self.timed_out,
        )


Handler = Callable[[ScriptedExecution], Union[ScriptedResult, str, None]]


class HandlerFailed(BaseException):
    """A handler or predicate raised; ``__cause__`` is what. No ``except Exception`` stops it on its way."""


class Script:
    """Which executions it answers, and how: by one handler, or by results that are used up."""

    def __init__(
        self,
        matches: Callable[[ScriptedExecution], bool],
        shown: str,
        answers: Handler | Sequence[ScriptedResult],
    ) -> None:
        self._matches = matches
        self._shown = shown
        self._answers = answers
        self.calls = 0
        """How many executions it answered."""

    def __repr__(self) -> str:
        return f"on_execute({self._shown})"

    @property
    def left(self) -> int | None:
        """How many results are left, or ``None`` where it answers for ever."""
        return None if callable(self._answers) else len(self._answers) - self.calls

    def take(self, execution: ScriptedExecution) -> Callable[[], ScriptedResult] | None:
        """Return the next answer, to be asked for, or ``None`` where it has none to this execution."""
        if self.left == 0 or not self._matches(execution):
            return None
        self.calls += 1
        if callable(self._answers):
            handler = self._answers
            return lambda: _result_of(handler(execution))
        result = self._answers[self.calls - 1]
        return lambda: result


def _result_of(answer: ScriptedResult | str | None) -> ScriptedResult:
    if isinstance(answer, ScriptedResult):
        return answer
    if answer is None or isinstance(answer, str):
        return ScriptedResult(stdout=answer or "")
    raise TypeError(f"a handler returns a ScriptedResult, a str or None, not {type(answer).__name__}")


class ScriptedExecutor:
    """Answers executions from scripts, tried in the order they were added.

    Helpers of the client need no script: they act on the workspace. An execution that nobody scripted is
    refused with 501 ``unscripted_execution``. ``pause`` lets seconds pass for who waits for a background
    process; where left out, they are waited for.
    """

    def __init__(self, pause: Pause | None = None) -> None:
        self.pause = pause
        self.calls = CallScripts()
        """The scripts of functions that are called."""
        self._scripts: list[Script] = []
        self._lock = reset_after_fork(threading.Lock())

    def add(
        self,
        code: Code | None,
        *,
        contains: str | None,
        command: str | re.Pattern[str] | None,
        answers: Handler | Sequence[ScriptedResult],
    ) -> Script:
        """Add a script for executions of which exactly one of the first three is true."""
        if sum(given is not None for given in (code, contains, command)) != 1:
            raise TypeError("on_execute needs exactly one of code, contains= and command=")
        _check_matcher(code, contains, command)
        script = Script(*_matcher(code, contains, command), answers=answers)
        with self._lock:
            self._scripts.append(script)
        return script

    def unused(self) -> list[Union[Script, CallScript]]:
        """Return the scripts that answered nothing, or have results left."""
        with self._lock:
            unused = [script for script in self._scripts if not script.calls or script.left]
        return [*unused, *self.calls.unused()]

    def answer(self, execution: ScriptedExecution) -> ScriptedResult:
        """Return the result of the first script that has one; a :class:`ServiceError` where none has."""
        if execution.code is not None and helpers.is_helper(execution.code):
            return self._help(execution.code, execution)
        try:
            # A handler may wait for another execution, so it runs outside the lock.
            with self._lock:
                taken = next(filter(None, (script.take(execution) for script in self._scripts)), None)
            result = None if taken is None else taken()
        except Exception as error:
            raise HandlerFailed from error
        if result is None:
            raise self._unscripted(execution)
        for path, content in result.files.items():
            execution.workspace.write(path, content.encode())
        return result

    def _help(self, code: str, execution: ScriptedExecution) -> ScriptedResult:
        arguments = helpers.arguments_of(code)
        if arguments.get("op") != "call":
            return ScriptedResult(stdout=helpers.answer(code, execution.workspace))
        try:
            # A scripted session lives in memory, where a file can be deleted.
            output = self.calls.answer(arguments, cast("MutableWorkspace", execution.workspace))
        except ServiceError:
            raise
        except Exception as error:
            raise HandlerFailed from error
        return ScriptedResult(output.stdout, output.stderr, output.exit_code)

    def _unscripted(self, execution: ScriptedExecution) -> ServiceError:
        used_up = [repr(script) for script in self._scripts if script.left == 0]
        program = f"command={execution.command!r}" if execution.code is None else _shortened(execution.code)
        message = f"Nobody scripted this execution. To script it: fake.on_execute({program}, stdout=...)"
        if used_up:
            message += f". Used up: {', '.join(used_up)}"
        details = {"code": execution.code, "command": execution.command}
        return ServiceError(501, "unscripted_execution", message, details)

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
    """The executions of one session; each is over before it is asked for. Background processes may go on."""

    def __init__(self, executor: ScriptedExecutor, session_id: str, workspace: Workspace) -> None:
        self._executor = executor
        self._session_id = session_id
        self._workspace = workspace
        self._processes = ScriptedProcesses(executor.answer, executor.pause)

    def run(self, execution: Execution, *, timeout: float | None = None) -> Iterator[Union[Output, Outcome]]:
        """Return the scripted items."""
        del timeout
        scripted = ScriptedExecution(
            code=execution.code,
            command=execution.command,
            env=execution.env,
            files=execution.files,
            timeout=execution.timeout,
            working_dir=execution.working_dir,
            session_id=self._session_id,
            workspace=self._workspace,
        )
        return self._answer(scripted).items()

    def _answer(self, execution: ScriptedExecution) -> ScriptedResult:
        if execution.code is not None and helpers.is_helper(execution.code):
            arguments = helpers.arguments_of(execution.code)
            if self._processes.answers(str(arguments.get("op"))):
                return ScriptedResult(stdout=self._processes.answer(arguments, execution))
        return self._executor.answer(execution)

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


def _check_matcher(code: object, contains: object, command: object) -> None:
    if code is not None and not (isinstance(code, (str, re.Pattern)) or callable(code)):
        raise TypeError(f"code is a {type(code).__name__}, not a str, a compiled pattern or a predicate")
    if contains is not None and not isinstance(contains, str):
        raise TypeError(f"contains is a {type(contains).__name__}, not a str")
    if command is not None and not isinstance(command, (str, re.Pattern)):
        raise TypeError(f"command is a {type(command).__name__}, not a str or a compiled pattern")


def _matcher(
    code: Code | None, contains: str | None, command: str | re.Pattern[str] | None
) -> tuple[Callable[[ScriptedExecution], bool], str]:
    if contains is not None:
        return (lambda execution: contains in (execution.code or "")), f"contains={contains!r}"
    if command is not None:
        return (lambda execution: _fits(command, execution.command)), f"command={command!r}"
    if callable(code):
        return code, getattr(code, "__name__", repr(code))
    shown = _shortened(code) if isinstance(code, str) else repr(code)
    return (lambda execution: _fits(code, execution.code)), shown


def _fits(wanted: str | re.Pattern[str] | None, found: str | None) -> bool:
    if wanted is None or found is None:
        return False
    return wanted == found if isinstance(wanted, str) else wanted.search(found) is not None


def _shortened(code: str) -> str:
    if len(code) <= 80 and "\n" not in code:
        return repr(code)
    line = next((line.strip() for line in code.splitlines() if line.strip()), "")
    return f"contains={line[:80]!r}"
