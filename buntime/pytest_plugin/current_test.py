"""The open cassettes, and the test that sends requests to those that several tests share."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
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
        self.is_shared: bool = scope != "function" and mode != "live"
        """Whether several tests share a recording, which names them."""

    @property
    def has_ended(self) -> bool:
        """Whether the last of its fixtures has ended."""
        return self.fixtures == 0


class CurrentTest:
    """Names the sender of requests in the cassettes that tests share, whose own responses come first.

    The sender is the test, or the class, module or package of a fixture that begins or ends.
    """

    def __init__(self, cassettes: list[OpenCassette]) -> None:
        self.item: Optional[pytest.Item] = None
        self._sender: Optional[Node] = None
        self._cassettes = cassettes
        self._marks: Optional[list[tuple[OpenCassette, Any]]] = None

    def begin(self, item: pytest.Item) -> bool:
        """Begin a test; return whether it is a rerun, and undo the interactions of the attempt before."""
        is_rerun = self.item is item
        self._set_sender(item)
        for opened, mark in self._marks or () if is_rerun else ():
            if opened in self._cassettes:
                opened.case.rewind(mark)
        self.item, self._marks = item, None
        return is_rerun

    def name_sender(self, opened: OpenCassette) -> None:
        """Name the sender in a cassette, if tests share it."""
        if opened.is_shared and self._sender is not None:
            opened.case.set_test(label_of(self._sender, opened.node))

    def _set_sender(self, node: Optional[Node]) -> None:
        self._sender = node
        for opened in self._cassettes:
            self.name_sender(opened)

    def _mark(self) -> None:
        """Note the point to which a rerun returns."""
        if self._marks is None:
            self._marks = [(opened, opened.case.mark()) for opened in self._cassettes if opened.is_shared]

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None]:
        """Name the sender while a fixture begins, and when it ends; a rerun repeats those of the test."""
        if isinstance(request.node, pytest.Item):
            self._mark()
        sender = self._sender
        self._set_sender(request.node)
        yield
        self._set_sender(sender)
        # The last finalizer is called first.
        fixturedef.addfinalizer(partial(self._set_sender, request.node))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Note the point at which the test begins, unless its fixtures did."""
        self._mark()
