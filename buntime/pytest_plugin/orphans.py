"""Cassettes without a test, listed at the end of a run."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Optional

import pytest

from buntime.errors import ConfigurationError
from buntime.pytest_plugin import paths
from buntime.pytest_plugin.scopes import Selection, cassette_of

_ORPHANS = "buntime_orphans"


class Orphans:
    """Finds the cassettes without a test, for test files whose tests were all collected."""

    def __init__(self, config: pytest.Config, selection: Selection) -> None:
        self._config = config
        self._selection = selection
        self._orphans: set[str] = set()

    def pytest_deselected(self, items: list[pytest.Item]) -> None:
        """Note the tests that do not run."""
        self._selection.deselect(items)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Look for cassettes without a test."""
        with suppress(OSError):  # of a folder that cannot be read
            self._orphans.update(map(str, paths.orphans(self._expected(session))))
        output: Optional[dict[str, Any]] = getattr(self._config, "workeroutput", None)
        if output is not None:
            output[_ORPHANS] = sorted(self._orphans)
        listed: Optional[str] = self._config.getoption("buntime_orphans", default=None)
        if listed and not session.testsfailed:
            Path(listed).write_text("".join(f"{path}\n" for path in sorted(self._orphans)), encoding="utf-8")

    def _expected(self, session: pytest.Session) -> dict[Path, set[Path]]:
        """Return the cassettes of the tests by test file, for files whose tests were all collected."""
        # A controller of xdist has no items: its workers have them.
        items = getattr(session, "items", ())
        files = {path: path.resolve() for path in {item.path for item in items}}
        # The names of thousands of tests take a while, and most projects have no cassette.
        if not any((file.parent / paths.FOLDER).is_dir() for file in files.values()):
            return {}
        complete: dict[pytest.Module, bool] = {}
        expected: dict[Path, set[Path]] = {}
        for item in items:
            module = item.getparent(pytest.Module)
            if module is None:
                continue
            if module not in complete:
                complete[module] = self._selection.has_all_of(module)
            if complete[module]:
                for node in item.listchain():
                    if isinstance(node, (pytest.Item, pytest.Class, pytest.Module)):
                        with suppress(ConfigurationError):
                            expected.setdefault(files[item.path], set()).add(cassette_of(node).resolve())
        return expected

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the cassettes that a worker of xdist reports."""
        self._orphans.update(getattr(node, "workeroutput", {}).get(_ORPHANS, ()))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """List the cassettes without a test."""
        if self._orphans:
            terminalreporter.section("cassettes of buntime without a test")
            for path in sorted(self._orphans):
                terminalreporter.write_line(os.path.relpath(path, self._config.invocation_params.dir))
            terminalreporter.write_line(
                "To remove them: buntime cassette prune; or name them: @pytest.mark.buntime(cassette=...)"
            )
