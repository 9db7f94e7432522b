"""The benchmarks run, in their smallest form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.registry import BENCHMARKS
from tests.docs.markdown import ROOT

pytestmark = [
    pytest.mark.one_python,
    pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are made on Linux only"),
]


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_runs(name: str, tmp_path: Path) -> None:
    """It measures each contender that is installed, and says of the others that they are not."""
    output = tmp_path / "figures.json"
    command = [sys.executable, "-m", "benchmarks", name, "--tiny", "--output", str(output)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BUNTIME_")}
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert 0 == ran.returncode, ran.stderr
    tables = json.loads(output.read_text(encoding="utf-8"))["tables"]
    assert [name] * len(tables) == [table["benchmark"] for table in tables]
    rows = [row for table in tables for row in table["rows"]]
    assert [] == [row for row in rows if not row["samples"] and not row["note"].startswith("not installed")]
    assert all(any(row["samples"] for row in table["rows"]) for table in tables)
