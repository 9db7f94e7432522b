"""The official clients of Runloop against ``buntime serve`` see what our client sees."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from buntime.service.machine.find import find_bun
from tests.support.serving import buntime_serve

KEY = "rk_of_the_official_clients"
FOLDER = Path(os.environ["OFFICIAL_CLIENTS"]).resolve()
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SCORING = {"scorer", "validated", "scenario", "run", "completed", "score", "logs of a run", "canceled"}
BENCHMARKS = {"benchmark", "definitions", "benchmark run"}
LACKS = {
    "python-1.32.0": {"validated"},
    "python-3.0.0": {"shell", "agent", "agents", "agent mount", *SCORING, *BENCHMARKS},
    "node-1.8.0": {"tunnel", "context manager", "blueprints", "validated"},
    "node-1.32.0": {"tunnel", "context manager", "blueprints", "validated"},
}
"""The lines of the transcript for which a client has no method."""


@pytest.fixture(scope="session", autouse=True)
def served_url() -> Iterator[str]:
    """Run ``buntime serve``, before the fixtures that detect leftovers."""
    with buntime_serve("--api-key", KEY) as server:
        yield server.url


@pytest.fixture(scope="session")
def transcript(served_url: str) -> list[Any]:
    """Return the transcript of our client."""
    return run([sys.executable, str(HERE / "scenario.py"), "buntime.runloop", served_url], ROOT, str(ROOT))


def run(command: list[str], folder: Path, python_path: str = "") -> list[Any]:
    """Return the lines that a script prints."""
    environment = {**os.environ, "PYTHONPATH": python_path}
    result = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert 0 == result.returncode, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.parametrize("client", sorted(path.name for path in FOLDER.iterdir()))
def test_an_official_client(client: str, served_url: str, transcript: list[Any]) -> None:
    """Each value that it prints is the one that our client prints."""
    lacks = LACKS.get(client, set())
    if client.startswith("python"):
        command = [sys.executable, str(HERE / "scenario.py"), "runloop_api_client", served_url]
        options = {"no-shell": "shell", "no-agents": "agents", "no-scoring": "scorer"}
        command += [option for option, label in options.items() if label in lacks]
        lines = run(command, FOLDER, str(FOLDER / client))
    else:
        node = shutil.which("node") or find_bun(None, os.environ)
        lines = run([node, str(HERE / "scenario.mjs"), served_url], FOLDER / client)
    assert [line for line in transcript if line[0] not in lacks] == lines
