"""The modes and sources of cassettes, and the settings that choose them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from buntime.errors import ConfigurationError

if TYPE_CHECKING:
    from buntime.testing.modes import Case

MODES = ("replay", "record", "once", "verify", "live")
SOURCES = ("http", "local")

Candidate = tuple[str, Optional[str]]
"""The name of a setting, and its value or nothing."""


class Tests:
    """The tests of a run of pytest; this one is that without pytest."""

    failures = 0
    """How many tests failed so far, reruns included."""

    def keep_recording(self, case: Case) -> None:
        """Keep the recording of a block that ends, for the page of its test, if that fails."""


_runs: list[tuple[Mapping[str, Any], Mapping[str, Any], Tests]] = []
"""The options, the configuration and the tests of each run of pytest in this process; the last one counts."""


def choose(known: tuple[str, ...], *candidates: Candidate) -> str:
    """Return the first value that is set, else the first known; ``ConfigurationError`` for an unknown one."""
    name, value = next((each for each in candidates if each[1]), ("", known[0]))
    if value not in known:
        others = ", ".join(map(repr, known[:-1]))
        raise ConfigurationError(f"{name} is {value!r}; it can be {others} or {known[-1]!r}")
    return str(value)


def choose_source(mode: str, *candidates: Candidate) -> str:
    """Return the first source that is set, else ``"http"``; always that for ``"replay"``."""
    return SOURCES[0] if mode == "replay" else choose(SOURCES, *candidates)


def begin_run(options: Mapping[str, Any], configured: Mapping[str, Any], tests: Tests) -> Callable[[], None]:
    """Note a pytest run, with its settings by their names; return a function that ends the run."""
    run = options, configured, tests
    _runs.append(run)
    return lambda: _runs.remove(run)


def defaults(name: str) -> list[Candidate]:
    """Return the values of ``mode`` or ``source`` of the environment and, if pytest runs, of its settings."""
    options, configured = _runs[-1][:2] if _runs else ({}, {})
    file = f"buntime_{name} of the configuration file"
    return [(f"--buntime-{name}", options.get(name)), of_environment(name), (file, configured.get(name))]


def several(name: str) -> list[str]:
    """Return the values of ``allow`` or ``ignore`` in the configuration file of pytest, if it runs."""
    return list(_runs[-1][1][name]) if _runs else []


def tests() -> Tests:
    """Return the tests of the run of pytest, if it runs."""
    return _runs[-1][2] if _runs else Tests()


def of_environment(name: str) -> Candidate:
    """Return the ``mode`` or the ``source`` in the environment."""
    if name == "mode":
        return "BUNTIME_MODE", os.environ.get("BUNTIME_MODE")
    return "BUNTIME_TRANSPORT", os.environ.get("BUNTIME_TRANSPORT")


def advice(path: Path, mode: Optional[str], of: str, command: Optional[str] = None) -> str:
    """Return how a cassette is recorded again: by the command, unless ``of`` has a mode that wins over it."""
    if mode is None:
        return command or f"run this again with {'--buntime-mode' if _runs else 'BUNTIME_MODE'}=record"
    if mode == "once":
        return f"delete {path} and run this again, or change mode='once' of {of}"
    return f"change mode={mode!r} of {of} to 'record', and run this again"
