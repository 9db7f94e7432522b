"""Functions that are called, answered from scripts instead of run."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from typing import Any, Callable, Optional, Union

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.errors import ServiceError
from buntime.service.scripted.file_helpers import MutableWorkspace
from buntime.service.scripted.js_values import received, returned
from buntime.service.workspace.base import PathError

Function = Union[str, "re.Pattern[str]", Callable[[str], bool]]
FunctionHandler = Callable[..., Any]


@attrs.frozen
class CallOutput:
    """What the process of a call leaves."""

    stdout: str
    stderr: str
    exit_code: int


class Thrown(Exception):  # noqa: N818 - named for what happened in the function
    """What a function throws: an error of this ``name``, ``message`` and ``stack``."""

    def __init__(self, name: str, message: str, stack: str) -> None:
        super().__init__(name, message, stack)
        self.answer = {"thrown": {"name": name, "message": message, "stack": stack, "details": {}}}


@attrs.define
class CallScript:
    """Which functions it stands for, and what their calls come to."""

    function: Function
    handler: FunctionHandler
    stdout: str
    stderr: str
    calls: int = 0

    def __repr__(self) -> str:
        shown = getattr(self.function, "__name__", None) or repr(self.function)
        return f"on_call({shown})"

    def matches(self, function: str) -> bool:
        """Whether it answers the calls of this function."""
        if isinstance(self.function, str):
            return _plain(self.function) == _plain(function)
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
        """Return the scripts that answered nothing."""
        with self._lock:
            return [script for script in self._scripts if not script.calls]

    def answer(self, arguments: Mapping[str, Any], workspace: MutableWorkspace) -> CallOutput:
        """Return what the call that a helper's first line describes comes to.

        Refuses with 501 ``unscripted_call`` one that nobody scripted. What a handler raises passes through.
        """
        text = _payload(arguments, workspace)
        if text is None:
            return _output({"gone": True})
        payload = json.loads(text)
        function = payload.get("source") or f"{payload['file']}#{payload['name']}"
        script = self._take(function)
        if script is None:
            raise _unscripted(function)
        try:
            answer = {"value": returned(script.handler(*map(received, payload["arguments"])))}
        except Thrown as thrown:
            answer = thrown.answer
        return _output(answer, script)

    def _take(self, function: str) -> Optional[CallScript]:
        with self._lock:
            for script in self._scripts:
                if script.matches(function):
                    script.calls += 1
                    return script
        return None


def _plain(function: str) -> str:
    """Return a function's text without what makes no difference to what it stands for."""
    text = function.strip().rstrip(";")
    return text.removesuffix("#default") if text.startswith("./") else text


def _payload(arguments: Mapping[str, Any], workspace: MutableWorkspace) -> Optional[str]:
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


def _output(answer: Mapping[str, Any], script: Optional[CallScript] = None) -> CallOutput:
    line = f"\x1ebuntime:call {json.dumps(answer, separators=(',', ':'))}\n"
    return CallOutput(
        (script.stdout if script else "") + line, script.stderr if script else "", int("value" not in answer)
    )


def _unscripted(function: str) -> ServiceError:
    shown = repr(function) if len(function) <= 200 else f"lambda source: {function[:60]!r} in source"
    message = f"Nobody scripted this call. To script it: fake.on_call({shown}, returns=...)"
    return ServiceError(501, "unscripted_call", message, {"function": function})
