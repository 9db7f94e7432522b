"""Generated requests, in a run of pytest of their own: each worker would import schemathesis for seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from buntime.service.devboxes.app import ROUTES
from tests.support import effort
from tests.support.openapi import OPERATIONS

ROOT = Path(__file__).parents[2]


@pytest.mark.one_python
@pytest.mark.skipif(sys.version_info < (3, 11), reason="schemathesis needs Python 3.11")
def test_generated_requests_respond_as_documented(tmp_path: Path) -> None:
    """A test for each operation, in the longer document by default for a sample, and one of sequences."""
    options = ("-p", "schemathesis.pytest.plugin", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'run'}")
    files = (f"tests/end_to_end/generated_{name}.py" for name in ("requests", "runloop_requests"))
    command = [sys.executable, "-m", "pytest", "-q", *options, *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    count = len(OPERATIONS) + len(effort.sample([*ROUTES], 0, 5)) + 1
    assert f"{count} passed in" in done.stdout, done.stdout + done.stderr
