"""Scripts for a :class:`~buntime.service.scripted.executor.ScriptedExecutor`, read from a JSON file."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any, Callable, NoReturn

from buntime.service.scripted.executor import ScriptedExecutor, ScriptedResult
from buntime.service.workspace.paths import normalise

_MATCHES = {"code", "contains", "code_pattern", "command", "command_pattern"}


class ScriptFileError(Exception):
    """A script file cannot be read or says something that has no meaning."""


def read_scripts(path: Path) -> ScriptedExecutor:
    """Return an executor with the scripts of a file.

    The file is a JSON list of objects. Each has one of ``code`` (the exact code), ``contains``,
    ``code_pattern``, ``command`` (the exact command), ``command_pattern`` (regular expressions), and either
    the fields of a result (``stdout``, ``stderr``, ``exit_code``, ``timed_out``, ``files``, ``chunks`` as
    ``["stdout", text]`` pairs, ``execution_time`` and ``cpu_time`` in ms, ``memory_used`` in bytes,
    ``keeps_running`` for a background process that runs until it is killed), or
    ``results``, a list of such objects that are used up in turn.

    Raises :class:`ScriptFileError` naming the file and the script.
    """
    scripts = _scripts(path)
    executor = ScriptedExecutor()
    for number, script in enumerate(scripts):
        try:
            _add(executor, script)
        except (TypeError, ValueError) as error:
            raise ScriptFileError(f"{path}: script {number}: {error}") from error
    return executor


def _scripts(path: Path) -> list[Any]:
    try:
        scripts = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise ScriptFileError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ScriptFileError(f"{path}: it must be JSON: {error}") from error
    if not isinstance(scripts, list):
        raise ScriptFileError(f"{path}: it must be a JSON list of scripts")
    return scripts


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _add(executor: ScriptedExecutor, script: Any) -> None:
    if not isinstance(script, dict):
        raise TypeError("it must be an object")
    matches = {name: script[name] for name in _MATCHES & set(script)}
    if len(matches) != 1:
        raise ValueError(f"it needs exactly one of {', '.join(sorted(_MATCHES))}")
    ((name, value),) = matches.items()
    wanted = _compiled(name, _text(name, value)) if name.endswith("_pattern") else _text(name, value)
    rest = {key: found for key, found in script.items() if key not in _MATCHES}
    executor.add(
        wanted if name in {"code", "code_pattern"} else None,
        contains=value if name == "contains" else None,
        command=wanted if name in {"command", "command_pattern"} else None,
        answers=_results(rest) if "results" in rest else _fixed(_result(rest)),
    )


def _compiled(name: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name}: {error}") from error


def _fixed(result: ScriptedResult) -> Any:
    return lambda _execution: result


def _results(fields: dict[str, Any]) -> list[ScriptedResult]:
    results = fields.pop("results")
    if fields:
        raise ValueError(f"results cannot stand beside {', '.join(sorted(fields))}")
    if not isinstance(results, list) or not results:
        raise TypeError("results must be a list of results, and not empty")
    return [_result(one) for one in results]


def _result(fields: Any) -> ScriptedResult:
    if not isinstance(fields, dict):
        raise TypeError("a result must be an object")
    unknown = set(fields) - set(_READERS)
    if unknown:
        raise ValueError(
            f"unknown field {', '.join(sorted(unknown))}; known are {', '.join(sorted(_READERS))}"
        )
    return ScriptedResult.make(**{name: _READERS[name](name, value) for name, value in fields.items()})


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a string")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be true or false")
    return value


def _integer(name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an integer")
    return value


def _size(name: str, value: Any) -> int:
    if _integer(name, value) < 0:
        raise ValueError(f"{name} must not be negative")
    return int(value)


def _time(name: str, value: Any) -> float:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number")
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must not be negative nor infinite")
    return value


def _chunks(name: str, value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, list):
        raise TypeError(f"{name} must be a list of pairs")
    return [_chunk(name, pair) for pair in value]


def _chunk(name: str, pair: Any) -> tuple[str, str]:
    if isinstance(pair, list) and len(pair) == 2 and pair[0] in ("stdout", "stderr"):
        return pair[0], _text(f"the text in {name}", pair[1])
    raise TypeError(f'{name} must be pairs such as ["stdout", "text"] or ["stderr", "text"]')


def _files(name: str, value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be an object with texts by path")
    for path, content in value.items():
        if not normalise(path):
            raise ValueError(f"{name}: {path!r} is no path of a file")
        _text(f"{name}[{path!r}]", content).encode()
    return value


_READERS: dict[str, Callable[[str, Any], Any]] = {
    "stdout": _text,
    "stderr": _text,
    "exit_code": _integer,
    "timed_out": _flag,
    "keeps_running": _flag,
    "chunks": _chunks,
    "files": _files,
    "execution_time": _time,
    "cpu_time": _time,
    "memory_used": _size,
}
