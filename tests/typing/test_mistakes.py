"""Type checkers find mistakes of users; ``nox -s types`` runs these tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

MISTAKES = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8")
WRONG = {number for number, line in enumerate(MISTAKES.splitlines(), 1) if line.endswith("# wrong")}
ROOT = Path(__file__).parents[2]


def _check(folder: Path, tool: str, *options: str) -> str:
    pytest.importorskip(tool, reason="the checkers are in the environment of nox -s types")
    (folder / "mistakes.py").write_text(MISTAKES, encoding="utf-8")
    command = [sys.executable, "-m", tool, *options, "mistakes.py"]
    environ = {**os.environ, "MYPYPATH": str(ROOT), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environ, check=False)
    assert 1 == done.returncode, done.stderr
    return done.stdout


def test_mypy_reports_every_mistake(tmp_path: Path) -> None:
    """It reports the marked lines, and no other."""
    output = _check(tmp_path, "mypy", "--strict")
    assert WRONG == {
        int(number) for number in re.findall(r"^mistakes\.py:(\d+): error", output, re.MULTILINE)
    }


def test_pyright_reports_every_mistake(tmp_path: Path) -> None:
    """It reports the marked lines, and no other."""
    (tmp_path / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    report = json.loads(_check(tmp_path, "pyright", "--outputjson", "--pythonpath", sys.executable))
    assert WRONG == {entry["range"]["start"]["line"] + 1 for entry in report["generalDiagnostics"]}
