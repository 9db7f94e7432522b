"""Calls of functions, answered from scripts instead of run."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Optional, Union

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.errors import ServiceError
from buntime.service.scripted.file_helpers import MutableWorkspace
from buntime.service.scripted.js_values import from_js, to_js
from buntime.service.scripted.results import ScriptedResult
from buntime.service.workspace.base import PathError

Function = Union[str, "re.Pattern[str]", Callable[[str], bool]]
FunctionHandler = Callable[..., Any]


class Thrown(Exception):  # noqa: N818 - named for what happened in the function
    """A JavaScript error that a function throws."""

    def __init__(self, name: str, message: str, stack: str) -> None:
        super().__init__(name, message, stack)
        self.error: dict[str, Any] = {"name": name, "message": message, "stack": stack, "details": {}}


@attrs.define
class CallScript:
    """The functions it matches, and the result of calling them."""

    function: Function
    handler: FunctionHandler
    stdout: str
    stderr: str
    calls: int = 0

    def __repr__(self) -> str:
        return f"on_call({getattr(self.function, '__name__', None) or repr(self.function)})"

    def matches(self, function: str) -> bool:
        """Whether it applies to the calls of this function."""
        if isinstance(self.function, str):
            return _canonical(self.function) == _canonical(function)
        if isinstance(self.function, re.Pattern):
            return self.function.search(function) is not None
        return bool(self.function(function))


class CallScripts:
    """Answers calls from scripts, tried in the order they were added."""

    def __init__(self) -> None:
        self._scripts: list[CallScript] = []
        self._lock = reset_after_fork(threading.Lock())

    def add(self, script: CallScript) -> None:
        """Add a script."""
        with self._lock:
            self._scripts.append(script)

    def unused(self) -> list[CallScript]:
        """Return the scripts that matched nothing."""
        with self._lock:
            return [script for script in self._scripts if not script.calls]

    def result_for(self, arguments: Mapping[str, Any], workspace: MutableWorkspace) -> ScriptedResult:
        """Return the result of a call, described by the arguments of its helper.

        An evaluation in a REPL is like a call without arguments.

        Raises a 501 ``unscripted_call`` if no script matches. Exceptions of a handler pass through.
        """
        text = _payload(arguments, workspace)
        if text is None:
            return _output({"gone": True})
        payload = json.loads(text)
        function = payload["source"] if "source" in payload else f"{payload['file']}#{payload['name']}"
        script = self._find(function)
        if script is None:
            raise _unscripted(function)
        if "rows" in payload:
            replies = [_json(_reply(script, row)) for row in payload["rows"]]
            return _output({"value": replies}, script)
        return _output(_reply(script, payload.get("arguments", ())), script)

    def _find(self, function: str) -> Optional[CallScript]:
        with self._lock:
            for script in self._scripts:
                if script.matches(function):
                    script.calls += 1
                    return script
        return None


def _canonical(function: str) -> str:
    """Return a function's text without white space, semicolon and ``#default`` at its end."""
    text = function.strip().rstrip(";")
    return text.removesuffix("#default") if text.startswith("./") else text


def _payload(arguments: Mapping[str, Any], workspace: MutableWorkspace) -> Optional[str]:
    """Return the JSON of a call, which may be in files that are read once; ``None`` if they are gone."""
    if "payload" in arguments:
        text: str = arguments["payload"]
        return text
    try:
        text = "".join(workspace.read(path).decode() for path in arguments["files"])
        for path in arguments["files"]:
            workspace.delete(path, recursive=False)
    except (OSError, PathError):
        return None
    return text


def _reply(script: CallScript, arguments: Iterable[Any]) -> dict[str, Any]:
    try:
        return {"value": to_js(script.handler(*map(from_js, arguments)))}
    except Thrown as thrown:
        return {"thrown": thrown.error}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _output(result: Mapping[str, Any], script: Optional[CallScript] = None) -> ScriptedResult:
    line = f"\x1ebuntime:call {_json(result)}\n"
    stdout, stderr = ("", "") if script is None else (script.stdout, script.stderr)
    return ScriptedResult(stdout + line, stderr, 0 if "value" in result else 1)


def _unscripted(function: str) -> ServiceError:
    matcher = repr(function) if len(function) <= 200 else f"lambda source: {function[:60]!r} in source"
    message = f"No script matches this call. To add one: fake.on_call({matcher}, returns=...)"
    return ServiceError("unscripted_call", message, {"function": function})
