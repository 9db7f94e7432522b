"""Two workers of Dask, against a fake that ``buntime serve`` serves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime.transport import FakeTransport

HERE = Path(__file__).parent
PROGRAM = """
from dask_map import map_in_sessions, square
if __name__ == "__main__":
    print(map_in_sessions(square, range(5), workers=2))
"""


def squares() -> FakeTransport:
    """Return the fake: a function of Python stands for the one of JavaScript."""
    fake = FakeTransport()
    fake.on_call("(n) => n * n", handler=lambda n: n * n)
    return fake


@pytest.fixture
def server_url() -> Iterator[str]:
    """Serve the fake, and return its URL."""
    serve = ["-m", "buntime", "serve", "--port", "0"]
    command = [sys.executable, *serve, "--fake", "test_dask_map:squares"]
    with subprocess.Popen(
        command, cwd=HERE, stdout=subprocess.PIPE, text=True
    ) as server:
        yield next(
            word for word in server.stdout.readline().split() if word.startswith("http")
        )
        server.terminate()


def test_items_keep_their_order(server_url: str, tmp_path: Path) -> None:
    """Each worker has a session of its own, and the results are in order."""
    script = tmp_path / "squares.py"  # the workers import the program
    script.write_text(PROGRAM)
    service = {"BUNTIME_BASE_URL": server_url, "BUNTIME_API_KEY": "any"}
    environment = {**os.environ, **service, "PYTHONPATH": str(HERE)}
    command = [sys.executable, str(script)]
    printed = subprocess.check_output(command, env=environment, text=True)
    assert printed == "[0, 1, 4, 9, 16]\n"
