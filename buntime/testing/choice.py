"""The modes and sources of cassettes, and the settings that choose them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Callable, Optional

from buntime.errors import ConfigurationError

MODES = ("replay", "record", "once", "verify", "live")
SOURCES = ("http", "local")

Candidate = tuple[str, Optional[str]]
"""The name of a setting, and its value or nothing."""


def choose_mode(*candidates: Candidate) -> str:
    """Return the first mode that is set, else ``"replay"``; ``ConfigurationError`` for an unknown one."""
    return _choose(candidates, MODES)


def choose_source(mode: str, *candidates: Candidate) -> str:
    """Return the first source that is set, else ``"http"``; always that for ``"replay"``."""
    return SOURCES[0] if mode == "replay" else _choose(candidates, SOURCES)


_command_lines: list[tuple[Optional[str], Optional[str]]] = []


def begin_run(mode: Optional[str], source: Optional[str]) -> Callable[[], None]:
    """Note the options of a pytest run; return a function that ends the run."""
    options = (mode, source)
    _command_lines.append(options)
    return lambda: _command_lines.remove(options)


def run_mode() -> Candidate:
    """Return the mode on the command line of pytest, if it runs."""
    return "--buntime-mode", _command_lines[-1][0] if _command_lines else None


def run_source() -> Candidate:
    """Return the source on the command line of pytest, if it runs."""
    return "--buntime-source", _command_lines[-1][1] if _command_lines else None


def environment_mode() -> Candidate:
    """Return the mode in the environment."""
    return "BUNTIME_MODE", os.environ.get("BUNTIME_MODE")


def environment_source() -> Candidate:
    """Return the source in the environment."""
    return "BUNTIME_TRANSPORT", os.environ.get("BUNTIME_TRANSPORT")


def _choose(candidates: Iterable[Candidate], known: tuple[str, ...]) -> str:
    for name, value in candidates:
        if value is None or value == "":
            continue
        if value not in known:
            others = ", ".join(map(repr, known[:-1]))
            raise ConfigurationError(f"{name} is {value!r}; it can be {others} or {known[-1]!r}")
        return value
    return known[0]
