"""All benchmarks run with minimal effort."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report import HEADINGS
from tests.docs.markdown import ROOT

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux"),
]


def test_the_benchmarks_run(tmp_path: Path) -> None:
    """Every contender has a median, or a note that its package is not installed."""
    output = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", *HEADINGS, "--tiny", "--output", str(output)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BUNTIME_")}
    process = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert 0 == process.returncode, process.stderr
    benchmarks = json.loads(output.read_text(encoding="utf-8"))["benchmarks"]
    assert list(HEADINGS) == list(benchmarks)
    tables = [table for group in benchmarks.values() for table in group]
    rows = [row for table in tables for row in table["rows"]]
    assert [] == [row for row in rows if row["median"] is None and "is not installed" not in row["note"]]
    assert all(any(row["median"] is not None for row in table["rows"]) for table in tables)
