"""``--buntime-report``: a page with the recording of each test that failed."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from buntime.cassette.file import Cassette

_LONGEST = 20_000
"""Characters of a failure that a page shows."""


class Reports:
    """Writes the pages of a run to a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, recording: Cassette, test: str, failure: str) -> None:
        """Write the page of a failed test."""
        from buntime.cassette_view import render_page

        with suppress(OSError):
            page = render_page(recording, test, failure=failure[-_LONGEST:])
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / _file_name(test)).write_text(page, encoding="utf-8")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print where the pages are."""
        if any(terminalreporter.stats.get(kind) for kind in ("failed", "error")):
            terminalreporter.write_line(f"buntime: recordings of failed tests are in {self._folder}")


def _file_name(test: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "-", test).strip("-.")[-100:]
    return f"{safe}~{hashlib.sha256(test.encode()).hexdigest()[:8]}.html"
