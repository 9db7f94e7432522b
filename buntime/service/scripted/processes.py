"""The background processes of a scripted session: their scripts have run, and they say what came of it."""

from __future__ import annotations

import codecs
import json
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.workspace.paths import PathError, normalise

if TYPE_CHECKING:
    from buntime.service.scripted.executor import ScriptedExecution, ScriptedResult

_FIRST_PID = 100
_KILLED = 137

Pause = Callable[[float], object]


@attrs.define
class _Process:
    number: int
    pid: int
    output: Mapping[str, bytes]
    exit_code: Optional[int]

    def shown(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "pid": self.pid,
            "running": self.exit_code is None,
            "exit_code": self.exit_code,
        }


class ScriptedProcesses:
    """Answers the client's helpers for background processes.

    A process has written all its output when it is started. It has ended then, too, but where its script
    says ``keeps_running``: then it runs until it is killed, and any port of the session is open meanwhile.
    ``play`` returns the result of an execution; ``pause`` lets seconds pass for who waits in vain, where
    left out they are waited for.
    """

    def __init__(
        self, play: Callable[[ScriptedExecution], ScriptedResult], pause: Optional[Pause] = None
    ) -> None:
        self._play = play
        self._pause = pause
        self._processes: dict[int, _Process] = {}
        self._changed = reset_after_fork(threading.Condition())
        self._operations: dict[Any, Callable[..., dict[str, Any]]] = {
            "process_list": self._list,
            "process_wait": self._wait,
            "process_logs": self._logs,
            "process_kill": self._kill,
            "port": self._port,
        }

    def answers(self, op: str) -> bool:
        """Whether a helper is one of these."""
        return op == "process_start" or op in self._operations

    def answer(self, arguments: Mapping[str, Any], execution: ScriptedExecution) -> str:
        """Do what a helper would and return the standard output it would leave: one line of JSON."""
        try:
            if arguments["op"] == "process_start":
                answered = self._start(arguments, execution)
            else:
                answered = self._operations[arguments["op"]](arguments)
        except _HelperError as error:
            answered = {"error": {"code": error.code, "message": str(error)}}
        return json.dumps(answered) + "\n"

    def running(self) -> list[int]:
        """Return the pids of what runs."""
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
                process.exit_code = _KILLED
            self._changed.notify_all()
        return [process.pid for process in ended]

    def _start(self, arguments: Mapping[str, Any], execution: ScriptedExecution) -> dict[str, Any]:
        result = self._play(
            attrs.evolve(
                execution,
                code=arguments["code"],
                command=arguments["command"],
                files={},
                working_dir=_folder(arguments["working_dir"], execution),
            )
        )
        output = {"stdout": result.stdout.encode(), "stderr": result.stderr.encode()}
        with self._changed:
            number = len(self._processes) + 1
            exit_code = None if result.keeps_running else result.exit_code
            process = _Process(number, _FIRST_PID + number, output, exit_code)
            self._processes[number] = process
        return {"number": process.number, "pid": process.pid}

    def _list(self, _arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {"processes": [process.shown() for process in self._processes.values()]}

    def _wait(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        process = self._named(arguments)
        self._until(arguments["wait"], lambda: process.exit_code is not None)
        return process.shown()

    def _logs(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        process = self._named(arguments)

        def news() -> bool:
            lengths = {name: len(text) for name, text in process.output.items()}
            return process.exit_code is not None or any(arguments[name] < lengths[name] for name in lengths)

        self._until(arguments["wait"], news)
        answer: dict[str, Any] = {"complete": process.exit_code is not None}
        for name, output in process.output.items():
            answer[name], length = _characters(output[arguments[name] :][: arguments["limit"]])
            answer[f"{name}_offset"] = arguments[name] + length
            answer["complete"] &= answer[f"{name}_offset"] >= len(output)
        return answer

    def _kill(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        process = self._named(arguments)
        self.end(process.pid)
        return process.shown()

    def _port(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {"open": self._until(arguments["wait"], lambda: bool(self.running()))}

    def _named(self, arguments: Mapping[str, Any]) -> _Process:
        process = self._processes.get(arguments["number"])
        if process is None:
            raise _HelperError("ESRCH", f"the session has no process {arguments['number']}")
        return process

    def _until(self, seconds: float, ready: Callable[[], bool]) -> bool:
        if ready() or not seconds:
            return ready()
        if self._pause is not None:
            self._pause(seconds)
            return ready()
        with self._changed:
            return self._changed.wait_for(ready, seconds)


class _HelperError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _folder(path: Any, execution: ScriptedExecution) -> str:
    if path is None:
        return ""
    try:
        name = normalise(path)
        if execution.workspace.stat(name).type == "directory":
            return name
    except PathError as error:
        raise _HelperError("EOUTSIDE", str(error)) from error
    except OSError:
        pass
    raise _HelperError("ENOTDIR", f"working_dir {path} is not a directory of the workspace")


def _characters(piece: bytes) -> tuple[str, int]:
    """Return a piece of UTF-8 without the character that is cut at its end, and how many bytes that is."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(piece)
    return text, len(piece) - len(decoder.getstate()[0])
