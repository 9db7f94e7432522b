"""Generated requests, in a run of pytest of their own: each worker would import schemathesis for seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.openapi import OPERATIONS

ROOT = Path(__file__).parents[2]


@pytest.mark.one_python
@pytest.mark.skipif(sys.version_info < (3, 11), reason="schemathesis needs Python 3.11")
def test_generated_requests_respond_as_documented(tmp_path: Path) -> None:
    """A test for each operation, and one of sequences."""
    options = ("-p", "schemathesis.pytest.plugin", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'run'}")
    command = [sys.executable, "-m", "pytest", "-q", *options, "tests/end_to_end/generated_requests.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert f"{len(OPERATIONS) + 1} passed in" in done.stdout, done.stdout + done.stderr
