"""The example project whose tests replay their cassettes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from buntime.cli.main import main
from tests.docs.markdown import DOCS, ROOT

PROJECT = DOCS / "examples" / "tested_project"

# Runs before pytest: creating a socket fails.
_NO_NETWORK = """
import socket, sys, runpy
def fail(*_, **__):
    raise AssertionError("a socket was created")
socket.socket = socket.create_connection = socket.getaddrinfo = fail
sys.argv[0:1] = []
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a copy of the project."""
    return Path(shutil.copytree(PROJECT, tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__")))


def _run(
    project: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _files(project: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(project)): file.read_bytes() for file in (project / "cassettes").rglob("*.json")
    }


PYTEST = ("-m", "pytest", "-p", "buntime.pytest_plugin.plugin", "-Werror")


def test_it_replays_without_network_bun_and_key(project: Path) -> None:
    """The tests pass with Python alone, and every cassette belongs to a test."""
    nothing = {"PATH": "", "BUNTIME_BUN": "/nowhere/bun"}
    ran = _run(project, "-c", _NO_NETWORK, *PYTEST[1:], environment=nothing)
    assert 0 == ran.returncode, ran.stdout
    assert "11 passed" in ran.stdout
    assert "buntime: mode replay, no network" in ran.stdout
    assert "without a test" not in ran.stdout


def test_its_unittest_replays(project: Path) -> None:
    """The tests of unittest pass too."""
    ran = _run(project, "-m", "unittest", "-v", "test_reports_unittest", environment={"PATH": ""})
    assert 0 == ran.returncode, ran.stdout
    assert "Ran 1 test" in ran.stdout


def test_its_cassettes_have_no_problems() -> None:
    """The cassettes have no problems."""
    assert 0 == main(["cassette", "check", str(PROJECT / "cassettes")])


@pytest.mark.skipif(sys.platform != "linux", reason="sandboxes need Linux")
@pytest.mark.parametrize("mode", ["verify", "record"])
def test_its_cassettes_match_a_real_bun(project: Path, mode: str) -> None:
    """Verifying and recording on a real Bun change nothing."""
    before = _files(project)
    environment = {"BUNTIME_MODE": mode, "BUNTIME_TRANSPORT": "local"}
    ran = _run(project, *PYTEST, environment=environment)
    assert 0 == ran.returncode, ran.stdout
    assert f"buntime: mode {mode}, source local" in ran.stdout
    assert before == _files(project)
