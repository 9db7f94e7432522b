"""The first example runs on this machine."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.docs.markdown import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")
def test_quickstart() -> None:
    """It prints the output of the command and the exit code, without a key."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNLOOP_")}
    ran = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "runloop_quickstart.py")],
        env={**environment, "RUNLOOP_TRANSPORT": "local"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ("Hello, World!\n0\n", "") == (ran.stdout, ran.stderr)


def test_quickstart_without_a_key() -> None:
    """Without a key the error names the variable, and how to run without one."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNLOOP_")}
    ran = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "runloop_quickstart.py")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "set RUNLOOP_API_KEY or pass bearer_token=" in ran.stderr
    assert "set RUNLOOP_TRANSPORT=local" in ran.stderr
