"""Which cassettes a run may record: those of which it runs all tests, one after another, in one process."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Optional

import pytest

from buntime.errors import ConfigurationError
from buntime.pytest_plugin.scopes import Node, Selection, cassette_of, owners_of
from buntime.pytest_plugin.settings import marker_settings

_TOGETHER = {"class": "loadscope", "module": "loadfile"}
"""How pytest-xdist keeps the tests of a scope in one worker."""


class Permission:
    """Refuses to record a cassette that would be incomplete, or replace that of another test."""

    def __init__(self, config: pytest.Config, selection: Selection) -> None:
        self._selection = selection
        self._is_worker = hasattr(config, "workerinput")
        self._owners: Optional[defaultdict[str, dict[str, None]]] = None
        self._refused: dict[Path, str] = {}
        """Shared cassettes that this run must not record, or not again, as it would have a part; and why."""

    def check(
        self,
        node: Node,
        scope: str,
        path: Path,
        tests: set[str],
        item: Optional[pytest.Item],
        command: str,
    ) -> None:
        """Raise ``ConfigurationError`` if a cassette cannot be recorded now.

        ``tests`` are the ids of the tests that share it, ``item`` is the one that runs, and ``command``
        records all of them.
        """
        self._refuse_second_owner(node, path)
        if scope == "function":
            return
        if not self._selection.has_all_of(node):
            raise ConfigurationError(
                f"{path} belongs to all tests of the {scope}, and this run selects among them, by names of "
                f"tests or files, -k, --lf or the like; to record them all: {command}"
            )
        # A worker of xdist runs only some of its items, and does not know them yet.
        if path not in self._refused and not self._is_worker:
            self._refuse_interruption(node, path, tests, item)
        if path in self._refused:
            raise ConfigurationError(self._refused[path])

    def withdraw(self, path: Path, scope: str) -> None:
        """Refuse to record a shared cassette twice in a run: the second would have only some of its tests."""
        self._refused[path] = (
            f"{path} is not recorded again: it ended before this test, which shares it{self.hint(scope)}"
        )

    def hint(self, scope: str, where: str = "") -> str:
        """Return how the tests of a scope stay in one process, for a worker of xdist."""
        return f"{where}; {with_xdist(scope)}" if self._is_worker else ""

    def _refuse_second_owner(self, node: Node, path: Path) -> None:
        """Raise if another test or scope would record the same cassette, in any worker of xdist."""
        if self._owners is None:
            self._owners = defaultdict(dict)
            for item in node.session.items:
                for owner, scope in owners_of(item):
                    with suppress(ConfigurationError):
                        if marker_settings(owner).get("mode") not in {"replay", "verify", "live"}:
                            self._owners[_comparable(cassette_of(owner, scope))][owner.nodeid] = None
        same = [*self._owners[_comparable(path)]]
        if len(same) > 1:
            raise ConfigurationError(
                f"{path} would be recorded by {' and by '.join(same)}; give each its own cassette, "
                "or mode='replay' to all but one"
            )

    def _refuse_interruption(
        self, node: Node, path: Path, tests: set[str], item: Optional[pytest.Item]
    ) -> None:
        """Refuse a cassette if other tests run between its own: pytest would end its fixture there."""
        items = node.session.items
        start = items.index(item) if item in items else 0
        last = max(position for position, each in enumerate(items) if each.nodeid in tests)
        between = (each.nodeid for each in items[start:last] if node not in each.listchain())
        other = next(between, None)
        if other is not None:
            self._refused[path] = (
                f"{path} is not recorded: {other} runs between the tests that share it; record them in "
                "the order of their files: without --ff, and with -p no:randomly for pytest-randomly"
            )


def with_xdist(scope: str) -> str:
    """Return how the tests of a scope are recorded by one worker."""
    option = f"--dist {_TOGETHER[scope]}" if scope in _TOGETHER else "-n 0"
    return f"with pytest-xdist, record with {option}"


def _comparable(path: Path) -> str:
    return os.fspath(path.resolve()).casefold()
