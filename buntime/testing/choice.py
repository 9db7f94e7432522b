"""The modes in which a cassette is used, what it is recorded from, and where both are chosen."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Callable, Optional

from buntime.errors import ConfigurationError

MODES = ("replay", "record", "verify", "live")
SOURCES = ("http", "local")

Candidate = tuple[str, Optional[str]]
"""The name of a place where a value can be given, and the value or nothing."""


def chosen_mode(*candidates: Candidate) -> str:
    """Return the first mode that is given, else ``"replay"``; ``ConfigurationError`` for an unknown one."""
    return _chosen(candidates, MODES)


def chosen_source(mode: str, *candidates: Candidate) -> str:
    """As :func:`chosen_mode`, else ``"http"``; for ``"replay"``, which has no source, whatever is given."""
    return SOURCES[0] if mode == "replay" else _chosen(candidates, SOURCES)


_command_lines: list[tuple[Optional[str], Optional[str]]] = []


def begin_run(mode: Optional[str], source: Optional[str]) -> Callable[[], None]:
    """Note what the command line of a run of pytest says; return what ends that run."""
    said = (mode, source)
    _command_lines.append(said)
    return lambda: _command_lines.remove(said)


def run_mode() -> Candidate:
    """Return the mode that the command line of pytest gives, where it runs."""
    return "--buntime-mode", _command_lines[-1][0] if _command_lines else None


def run_source() -> Candidate:
    """Return the source that the command line of pytest gives, where it runs."""
    return "--buntime-source", _command_lines[-1][1] if _command_lines else None


def environment_mode() -> Candidate:
    """Return the mode that the environment gives."""
    return "BUNTIME_MODE", os.environ.get("BUNTIME_MODE")


def environment_source() -> Candidate:
    """Return the source that the environment gives."""
    return "BUNTIME_TRANSPORT", os.environ.get("BUNTIME_TRANSPORT")


def _chosen(candidates: Iterable[Candidate], known: tuple[str, ...]) -> str:
    for name, value in candidates:
        if value is None or value == "":
            continue
        if value not in known:
            others = ", ".join(map(repr, known[:-1]))
            raise ConfigurationError(f"{name} is {value!r}; it can be {others} or {known[-1]!r}")
        return value
    return known[0]
