"""Background processes of a scripted session. Their scripts ran at the start; here are the results."""

from __future__ import annotations

import base64
import codecs
import json
import threading
from collections.abc import Mapping
from typing import Any, Callable, Optional, cast

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.executors import KILLED
from buntime.service.scripted.file_helpers import MutableWorkspace, ScriptedHelperError, take_staged
from buntime.service.scripted.file_watches import ScriptedWatches
from buntime.service.scripted.helpers import error_result
from buntime.service.scripted.results import ScriptedExecution, ScriptedResult
from buntime.service.workspace.paths import PathError, normalise

_FIRST_PID = 100

Arguments = Mapping[str, Any]
Pause = Callable[[float], object]


@attrs.define
class _ScriptedProcess:
    number: int
    pid: int
    output: Mapping[str, bytes]
    exit_code: Optional[int]
    program: Optional[ScriptedExecution] = None
    """The execution that waits for the end of its standard input, and what it has of that."""
    has_stdin: bool = False
    last: tuple[Any, bytes] = (None, b"")

    def status(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "pid": self.pid,
            "running": self.exit_code is None,
            "exit_code": self.exit_code,
        }


class ScriptedProcesses:
    """Carries out the client's helpers for background processes.

    A process writes all its output at its start, and ends then too, unless its script has
    ``keeps_running``: then it runs until it is killed, and meanwhile any port of the session is open. One
    with standard input starts its script at the end of that.
    ``play`` returns the result of an execution; ``pause`` lets seconds pass if a client waits in vain, by
    default by waiting.
    """

    def __init__(
        self, play: Callable[[ScriptedExecution], ScriptedResult], pause: Optional[Pause] = None
    ) -> None:
        self._play = play
        self._pause = pause
        self._processes: dict[int, _ScriptedProcess] = {}
        self._changed = reset_after_fork(threading.Condition())
        self._helpers: dict[str, Callable[[Arguments, ScriptedExecution], dict[str, Any]]] = {
            "process_start": self._start,
            "process_write": self._write,
            "repl_start": self._start_repl,
            "process_list": self._list,
            "process_wait": self._wait,
            "process_logs": self._logs,
            "process_kill": self._kill,
            "port": self._port,
            "file_watch": self._watch,
        }
        self._watches = ScriptedWatches()

    def handles(self, op: str) -> bool:
        """Whether the operation of a helper is about processes."""
        return op in self._helpers

    def run_helper(self, arguments: Arguments, execution: ScriptedExecution) -> str:
        """Carry out a helper and return its standard output: one line of JSON."""
        try:
            result = self._helpers[arguments["op"]](arguments, execution)
        except (OSError, PathError, ScriptedHelperError) as error:
            result = error_result(error)
        return json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n"

    def running(self) -> list[int]:
        """Return the pids of running processes."""
        with self._changed:
            return [process.pid for process in self._processes.values() if process.exit_code is None]

    def end(self, pid: int | None) -> list[int]:
        """Kill one process, or all; return the pids."""
        with self._changed:
            ended = [
                process
                for process in self._processes.values()
                if process.exit_code is None and pid in {None, process.pid}
            ]
            for process in ended:
                process.exit_code = KILLED
            self._changed.notify_all()
        return [process.pid for process in ended]

    def _start(self, arguments: Arguments, execution: ScriptedExecution) -> dict[str, Any]:
        program = attrs.evolve(
            execution,
            code=arguments["code"],
            command=arguments["command"],
            files={},
            working_dir=_folder(arguments["working_dir"], execution),
        )
        if arguments.get("stdin"):
            return self._add(_NO_OUTPUT, None, program)
        return self._add(*_played(self._play(program)))

    def _start_repl(self, _arguments: Arguments, _execution: ScriptedExecution) -> dict[str, Any]:
        return self._add(_NO_OUTPUT, None)

    def _add(
        self,
        output: Mapping[str, bytes],
        exit_code: Optional[int],
        program: Optional[ScriptedExecution] = None,
    ) -> dict[str, Any]:
        with self._changed:
            number = len(self._processes) + 1
            process = _ScriptedProcess(
                number, _FIRST_PID + number, output, exit_code, program, has_stdin=program is not None
            )
            self._processes[number] = process
        return {"number": process.number, "pid": process.pid}

    def _write(self, arguments: Arguments, execution: ScriptedExecution) -> dict[str, Any]:
        """Collect standard input; at its end, the script runs, with all of it."""
        process = self._process(arguments)
        if not process.has_stdin:
            raise ScriptedHelperError("EINVAL", f"process {process.number} was started without stdin=True")
        content = take_staged(execution.workspace, arguments) if arguments["staged"] else ""
        piece = base64.b64decode(content)
        program = process.program if process.exit_code is None else None
        if program is None:
            if piece and process.last != (arguments["offset"], piece):
                message = f"the standard input of process {process.number} is closed"
                raise ScriptedHelperError("EPIPE", message)
            return {"state": "written", "offset": 0}
        if piece and process.last != (arguments["offset"], piece):
            if arguments["offset"] != len(program.stdin):
                message = f"another client wrote to the standard input of process {process.number}"
                raise ScriptedHelperError("ECHANGED", message)
            process.last = (arguments["offset"], piece)
            process.program = program = attrs.evolve(program, stdin=program.stdin + piece)
        if arguments["end"]:
            process.output, exit_code = _played(self._play(program))
            with self._changed:
                process.program, process.exit_code = None, exit_code
                self._changed.notify_all()
        return {"state": "written", "offset": len(program.stdin)}

    def _list(self, _arguments: Arguments, _execution: ScriptedExecution) -> dict[str, Any]:
        return {"processes": [process.status() for process in self._processes.values()]}

    def _wait(self, arguments: Arguments, _execution: ScriptedExecution) -> dict[str, Any]:
        process = self._process(arguments)
        self._wait_for(lambda: process.exit_code is not None, arguments["wait"])
        return process.status()

    def _logs(self, arguments: Arguments, _execution: ScriptedExecution) -> dict[str, Any]:
        process = self._process(arguments)

        def has_news() -> bool:
            unread = any(arguments[name] < len(output) for name, output in process.output.items())
            return unread or process.exit_code is not None

        self._wait_for(has_news, arguments["wait"])
        result: dict[str, Any] = {"complete": process.exit_code is not None}
        for name, output in process.output.items():
            result[name], length = _characters(output[arguments[name] :][: arguments["limit"]])
            result[f"{name}_offset"] = arguments[name] + length
            result["complete"] &= result[f"{name}_offset"] >= len(output)
        return result

    def _kill(self, arguments: Arguments, _execution: ScriptedExecution) -> dict[str, Any]:
        process = self._process(arguments)
        self.end(process.pid)
        return process.status()

    def _port(self, arguments: Arguments, _execution: ScriptedExecution) -> dict[str, Any]:
        return {"open": self._wait_for(lambda: bool(self.running()), arguments["wait"])}

    def _watch(self, arguments: Arguments, execution: ScriptedExecution) -> dict[str, Any]:
        workspace = cast("MutableWorkspace", execution.workspace)
        self._wait_for(lambda: self._watches.has_news(workspace, arguments), arguments["wait"])
        return self._watches.reply_to(workspace, arguments)

    def _process(self, arguments: Arguments) -> _ScriptedProcess:
        process = self._processes.get(arguments["number"])
        if process is None:
            raise ScriptedHelperError("ESRCH", f"the session has no process {arguments['number']}")
        return process

    def _wait_for(self, ready: Callable[[], bool], seconds: float) -> bool:
        if ready() or not seconds:
            return ready()
        if self._pause is not None:
            self._pause(seconds)
            return ready()
        with self._changed:
            return self._changed.wait_for(ready, seconds)


_NO_OUTPUT = {"stdout": b"", "stderr": b""}


def _played(result: ScriptedResult) -> tuple[dict[str, bytes], Optional[int]]:
    """Return the output and the exit code of a process with this result."""
    output = {"stdout": result.output("stdout").encode(), "stderr": result.output("stderr").encode()}
    return output, None if result.keeps_running else result.exit_code


def _folder(path: Any, execution: ScriptedExecution) -> str:
    if path is None:
        return ""
    try:
        name = normalise(path)
        if execution.workspace.stat(name).type == "directory":
            return name
    except PathError as error:
        raise ScriptedHelperError("EOUTSIDE", str(error)) from error
    except OSError:
        pass  # it does not exist: reported below, like a file
    raise ScriptedHelperError("ENOTDIR", f"working_dir {path} is not a directory of the workspace")


def _characters(piece: bytes) -> tuple[str, int]:
    """Decode a piece of UTF-8 without a character that is cut at its end; return the text and its bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(piece)
    return text, len(piece) - len(decoder.getstate()[0])
