"""Each attempt in the table of the page about security is a test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_row_names_tests_that_exist() -> None:
    """At least one in each row."""
    page = (ROOT / "docs" / "project" / "security.md").read_text(encoding="utf-8")
    rows = [
        line for line in page.partition("| test |")[2].partition("\n\n")[0].splitlines() if line[:2] == "| "
    ]
    names = {name for row in rows for name in re.findall(r"`(test_\w+)`", row)}
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    assert 20 < len(rows) == sum("`test_" in row for row in rows)
    assert set() == {name for name in names if not any(f"def {name}(" in text for text in texts)}
