"""``buntime run … | head -1`` ended with a message about a broken pipe."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_PRINTS_ENDLESSLY = "for (;;) { console.log('x'.repeat(1000)); await Bun.sleep(1) }"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_closed_pipe_ends_the_command(stream: str, temporary_folder: Path) -> None:
    """The command ends silently, as other tools do, and deletes the session."""
    code = _PRINTS_ENDLESSLY.replace("log", "log" if stream == "stdout" else "error")
    command = [sys.executable, "-m", "buntime", "run", "--local", "-e", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        read, other = process.stdout, process.stderr
        assert read is not None
        assert other is not None
        if stream == "stderr":
            read, other = other, read
        assert "x" * 1000 + "\n" == read.readline()
        read.close()
        assert (141, "") == (process.wait(60), other.read())
    assert [] == list(temporary_folder.glob("buntime-*"))
