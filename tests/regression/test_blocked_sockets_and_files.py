"""Under pyfakefs no helper had its program, and under pytest-socket no LocalTransport could be created."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SETTINGS = "[pytest]\naddopts = -p no:cacheprovider\n"

FILES = """
import pytest
from pathlib import Path
from buntime import Buntime
from buntime.transport import FakeTransport, ReplayTransport

def program(client):
    with client.sessions.create() as session:
        session.files.write("a.bin", b"\\xff")
        Path("/here").mkdir(exist_ok=True)
        Path("/here/b.txt").write_text("b")
        assert ("b.txt",) == session.files.upload("/here", "up").transferred
        session.files.download("up", "/there")
        assert "b" == Path("/there/b.txt").read_text()
        assert session.files.exists("up/b.txt")
        assert 3 == session.call("(x) => x", 3)
        process = session.start("server")
        return session.files.read_bytes("a.bin"), process.wait()

def make_fake():
    fake = FakeTransport()
    fake.on_call("(x) => x", handler=lambda x: x)
    fake.on_execute("server", stdout="up")
    return fake

def test_fake(fs):
    with Buntime(transport=make_fake()) as client:
        assert (b"\\xff", 0) == program(client)

def test_record_and_replay(fs):
    from buntime.transport import RecordingTransport
    with Buntime(transport=RecordingTransport("/c.json", make_fake())) as client:
        recorded = program(client)
    with Buntime(transport=ReplayTransport("/c.json")) as client:
        assert recorded == program(client)
"""

SOCKETS = """
from buntime import Buntime
from buntime.transport import LocalTransport

def test_local():
    with Buntime(transport=LocalTransport()) as client, client.sessions.create() as session:
        assert "2\\n" == session.execute("console.log(1 + 1)").stdout
        session.files.write("a.bin", b"\\xff")
        assert b"\\xff" == session.files.read_bytes("a.bin")
        assert 4 == session.call("(x) => x * 2", 2)
        with session.stream("console.log(3)") as stream:
            assert "3\\n" == "".join(event.text for event in stream)
"""


def _run(folder: Path, content: str, *options: str) -> None:
    (folder / "pytest.ini").write_text(SETTINGS)
    (folder / "test_it.py").write_text(content)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", *options, "test_it.py"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr


def test_helpers_under_pyfakefs(tmp_path: Path) -> None:
    """Files, calls and processes work on the fake, while recording and on replay."""
    pytest.importorskip("pyfakefs", reason="not for this Python")
    _run(tmp_path, FILES, "-p", "pyfakefs.pytest_plugin")


def test_local_transport_under_pytest_socket(tmp_path: Path) -> None:
    """A local session needs no socket of Python's ``socket`` module."""
    _run(tmp_path, SOCKETS, "-p", "pytest_socket", "--disable-socket")
