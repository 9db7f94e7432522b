"""The open cassettes, and the test whose turn it is in those that several tests share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import pytest

from buntime.pytest_plugin.scopes import Node, label_of

if TYPE_CHECKING:
    from buntime.testing.modes import Case


class OpenCassette:
    """A case in progress; ``tests`` are the ids of the tests that share it."""

    def __init__(self, case: Case, path: Path, mode: str, node: Node, scope: str) -> None:
        self.case = case
        self.path = path
        self.mode = mode
        self.node = node
        self.scope = scope
        self.tests: set[str] = set()
        self.fixtures = 0
        """How many fixtures use it now: those of both services share a cassette."""

    @property
    def has_ended(self) -> bool:
        """Whether the last of its fixtures has ended."""
        return self.fixtures == 0


class Turn:
    """Tells the cassettes that tests share which test sends requests: its own responses come first.

    Fixtures that tests share belong to none of them: they begin before those of the test, and end after them.
    """

    def __init__(self, cassettes: list[OpenCassette]) -> None:
        self.item: Optional[pytest.Item] = None
        self._cassettes = cassettes
        self._marks: Optional[list[tuple[OpenCassette, Any]]] = None
        self._fixtures: set[object] = set()
        """The fixtures of the test itself that have not ended."""

    def begin(self, item: pytest.Item) -> bool:
        """Begin a test; return whether it is a rerun, and undo the interactions of the attempt before."""
        is_rerun = self.item is item
        for opened, mark in self._marks or () if is_rerun else ():
            if opened in self._cassettes:
                opened.case.rewind(mark)
        self.item, self._marks = item, None
        self._fixtures.clear()
        self._tell(None)
        return is_rerun

    def join(self) -> None:
        """Begin the test in a cassette that it opened itself, in its own fixtures or later."""
        if self._marks is not None:
            self._tell(self.item)

    def _tell(self, item: Optional[pytest.Item]) -> list[tuple[OpenCassette, Any]]:
        """Tell the cassettes whose requests come now; return a mark of each of them."""
        shared = [opened for opened in self._cassettes if opened.scope != "function"]
        names = [None if item is None else label_of(item, opened.node) for opened in shared]
        return [(opened, opened.case.begin_test(name)) for opened, name in zip(shared, names)]

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: object, request: pytest.FixtureRequest) -> None:
        """Note the point at which the fixtures of the test itself begin: a rerun repeats them."""
        if request.scope == "function":
            self._fixtures.add(fixturedef)
            self.pytest_runtest_call()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Note the point at which the test begins, unless its fixtures did."""
        if self._marks is None:
            self._marks = self._tell(self.item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self) -> None:
        """Note the end of a test that has no fixtures of its own."""
        if not self._fixtures:
            self._tell(None)

    def pytest_fixture_post_finalizer(self, fixturedef: object) -> None:
        """Note the end of a test with that of the last of its own fixtures."""
        if fixturedef in self._fixtures:
            self._fixtures.remove(fixturedef)
            self.pytest_runtest_teardown()
