"""A plugin of pytest: the tests of a run in the opposite order."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the last test first."""
    items.reverse()
