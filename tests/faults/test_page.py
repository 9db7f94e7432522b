"""The documentation shows the table that the matrix checks."""

from __future__ import annotations

from tests.faults.page import PAGE, updated


def test_the_page_is_up_to_date() -> None:
    """If it is stale, run ``python -m tests.faults.page``."""
    page = PAGE.read_text(encoding="utf-8")
    assert updated(page) == page
