"""The modes and sources of cassettes, and the settings that choose them."""

from __future__ import annotations

import os
from typing import Callable, Optional

from buntime.errors import ConfigurationError

MODES = ("replay", "record", "once", "verify", "live")
SOURCES = ("http", "local")

Candidate = tuple[str, Optional[str]]
"""The name of a setting, and its value or nothing."""
_command_lines: list[dict[str, Optional[str]]] = []


def choose_mode(*candidates: Candidate) -> str:
    """Return the first mode that is set, else ``"replay"``; ``ConfigurationError`` for an unknown one."""
    return _choose(candidates, MODES)


def choose_source(mode: str, *candidates: Candidate) -> str:
    """Return the first source that is set, else ``"http"``; always that for ``"replay"``."""
    return SOURCES[0] if mode == "replay" else _choose(candidates, SOURCES)


def begin_run(mode: Optional[str], source: Optional[str]) -> Callable[[], None]:
    """Note the options of a pytest run; return a function that ends the run."""
    options = {"mode": mode, "source": source}
    _command_lines.append(options)
    return lambda: _command_lines.remove(options)


def of_run(name: str) -> Candidate:
    """Return the ``mode`` or the ``source`` on the command line of pytest, if it runs."""
    return f"--buntime-{name}", _command_lines[-1][name] if _command_lines else None


def of_environment(name: str) -> Candidate:
    """Return the ``mode`` or the ``source`` in the environment."""
    if name == "mode":
        return "BUNTIME_MODE", os.environ.get("BUNTIME_MODE")
    return "BUNTIME_TRANSPORT", os.environ.get("BUNTIME_TRANSPORT")


def _choose(candidates: tuple[Candidate, ...], known: tuple[str, ...]) -> str:
    name, value = next((each for each in candidates if each[1]), ("", known[0]))
    if value not in known:
        others = ", ".join(map(repr, known[:-1]))
        raise ConfigurationError(f"{name} is {value!r}; it can be {others} or {known[-1]!r}")
    return str(value)
