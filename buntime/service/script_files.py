"""Scripts for a :class:`~buntime.service.scripted.ScriptedExecutor`, read from a JSON file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from buntime.service.scripted import ScriptedExecutor, ScriptedResult

_MATCHES = {"code", "contains", "code_pattern", "command", "command_pattern"}
_RESULT = {
    "stdout",
    "stderr",
    "exit_code",
    "timed_out",
    "chunks",
    "files",
    "execution_time",
    "cpu_time",
    "memory_used",
}


class ScriptFileError(Exception):
    """A script file cannot be read or says something that has no meaning."""


def read_scripts(path: Path) -> ScriptedExecutor:
    """Return an executor with the scripts of a file.

    The file is a JSON list of objects. Each has one of ``code`` (the exact code), ``contains``,
    ``code_pattern``, ``command`` (the exact command), ``command_pattern`` (regular expressions), and either
    the fields of a result (``stdout``, ``stderr``, ``exit_code``, ``timed_out``, ``files``, ``chunks`` as
    ``["stdout", text]`` pairs, ``execution_time`` and ``cpu_time`` in ms, ``memory_used`` in bytes), or
    ``results``, a list of such objects that are used up in turn.

    Raises :class:`ScriptFileError` naming the file and the script.
    """
    try:
        scripts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ScriptFileError(f"{path}: {error}") from error
    if not isinstance(scripts, list):
        raise ScriptFileError(f"{path}: it must be a JSON list of scripts")
    executor = ScriptedExecutor()
    for number, script in enumerate(scripts):
        try:
            _add(executor, script)
        except (TypeError, ValueError, re.error) as error:
            raise ScriptFileError(f"{path}: script {number}: {error}") from error
    return executor


def _add(executor: ScriptedExecutor, script: Any) -> None:
    if not isinstance(script, dict):
        raise TypeError("it must be an object")
    matches = {name: script[name] for name in _MATCHES & set(script)}
    if len(matches) != 1:
        raise ValueError(f"it needs exactly one of {', '.join(sorted(_MATCHES))}")
    ((name, value),) = matches.items()
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string")
    wanted = re.compile(value) if name.endswith("_pattern") else value
    rest = {key: found for key, found in script.items() if key not in _MATCHES}
    results = rest.pop("results", None)
    if results is not None and rest:
        raise ValueError(f"results cannot stand beside {', '.join(sorted(rest))}")
    executor.add(
        wanted if name in {"code", "code_pattern"} else None,
        contains=value if name == "contains" else None,
        command=wanted if name in {"command", "command_pattern"} else None,
        answers=_fixed(_result(rest)) if results is None else [_result(one) for one in results],
    )


def _fixed(result: ScriptedResult) -> Any:
    return lambda _execution: result


def _result(fields: Any) -> ScriptedResult:
    if not isinstance(fields, dict):
        raise TypeError("a result must be an object")
    unknown = set(fields) - _RESULT
    if unknown:
        raise ValueError(
            f"unknown field {', '.join(sorted(unknown))}; known are {', '.join(sorted(_RESULT))}"
        )
    chunks = fields.pop("chunks", None)
    return ScriptedResult.make(
        chunks=None if chunks is None else [(kind, text) for kind, text in chunks], **fields
    )
