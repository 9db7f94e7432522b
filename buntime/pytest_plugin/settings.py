"""The settings of a cassette: of its marker, the command line, the environment and the configuration."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Optional

import pytest

from buntime.errors import ConfigurationError
from buntime.testing import choice

_SEVERAL = (list, tuple, set, frozenset)
_KINDS: dict[str, tuple[type, ...]] = {
    "cassette": (str, os.PathLike),
    "mode": (str,),
    "allow_unplayed": (bool,),
    "allow": (str, *_SEVERAL),
    "ignore": (str, re.Pattern, *_SEVERAL),
    "source": (str,),
}
_OF_MARKER = ("cassette", "mode", "allow_unplayed", "allow", "ignore")
_OF_FIXTURE = ("mode", "source", "allow_unplayed", "allow", "ignore")
_FUNCTIONS = ("ignore", "source")
"""Settings that may be a function."""


def marker_settings(node: pytest.Item | pytest.Collector) -> dict[str, Any]:
    """Return the arguments of the markers on a test, class or module; the nearest one wins."""
    settings: dict[str, Any] = {}
    for mark in reversed(list(node.iter_markers("buntime"))):
        settings.update(_checked(mark.kwargs, mark.args, _OF_MARKER, "the marker buntime"))
    return settings


def fixture_settings(value: object) -> dict[str, Any]:
    """Return the settings that the fixture ``buntime_config`` returns."""
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"the fixture buntime_config must return a dict, not {type(value).__name__}")
    return _checked(value, (), _OF_FIXTURE, "the fixture buntime_config")


def _checked(
    settings: Mapping[str, Any], positional: tuple[Any, ...], known: tuple[str, ...], of: str
) -> dict[str, Any]:
    unknown = [*map(repr, positional), *sorted(map(str, set(settings) - set(known)))]
    if unknown:
        names = ", ".join(f"{name}=" for name in known)
        raise ConfigurationError(f"{of} takes {names} and not {', '.join(unknown)}")
    checked: dict[str, Any] = {}
    for name, value in settings.items():
        if value is None:
            continue
        if not (isinstance(value, _KINDS[name]) or (name in _FUNCTIONS and callable(value))):
            kinds = [kind.__name__ for kind in _KINDS[name]] + ["function"] * (name in _FUNCTIONS)
            raise ConfigurationError(
                f"{name}= of {of} must be a {' or '.join(kinds)}, not {type(value).__name__}"
            )
        several = name in {"allow", "ignore"} and not isinstance(value, _SEVERAL)
        checked[name] = (value,) if several else value
    return checked


class RunSettings:
    """The settings of a run: its command line, its environment and its configuration file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def mode(self, marker: Mapping[str, Any], fixture: Mapping[str, Any]) -> str:
        """Return the mode of a cassette; replay on the command line applies to all of them."""
        option = self._config.getoption("buntime_mode")
        if option == "replay":
            return "replay"
        return choice.choose(
            choice.MODES,
            ("mode= of the marker buntime", marker.get("mode")),
            ("--buntime-mode", option),
            choice.of_environment("mode"),
            ("mode of the fixture buntime_config", fixture.get("mode")),
            ("buntime_mode of the configuration file", self._config.getini("buntime_mode")),
        )

    def source(self, mode: str, fixture: Mapping[str, Any]) -> Any:
        """Return the source from which cassettes are recorded: a name, or a function."""
        candidates = [
            ("--buntime-source", self._config.getoption("buntime_source")),
            choice.of_environment("source"),
        ]
        source = fixture.get("source")
        if callable(source):
            if not any(value for _, value in candidates):
                return source
            source = None
        return choice.choose_source(
            mode,
            *candidates,
            ("source of the fixture buntime_config", source),
            ("buntime_source of the configuration file", self._config.getini("buntime_source")),
        )

    def several(self, name: str, *settings: Mapping[str, Any]) -> tuple[Any, ...]:
        """Return the values of ``allow`` or ``ignore`` from everywhere: they add up."""
        values = [*self._config.getini(f"buntime_{name}")]
        for setting in settings:
            values.extend(setting.get(name, ()))
        return tuple(values)


def source_option(source: object) -> Optional[str]:
    """Return the option that repeats a source on the command line; ``None`` for the default."""
    return f"--buntime-source={source}" if isinstance(source, str) and source != choice.SOURCES[0] else None
