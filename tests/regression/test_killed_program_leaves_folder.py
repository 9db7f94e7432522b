"""A program that was killed left the folder of its local sessions in the temporary folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from buntime.service.workspace.root import WorkspaceFolder

_PROGRAM = """
import sys
from buntime.service.workspace.root import WorkspaceFolder

folder = WorkspaceFolder()
(folder.workspace("ses_1").root / "a.txt").write_text("a")
print(folder.root, flush=True)
sys.stdin.read()
"""


def test_the_next_program_removes_it(temporary_folder: Path) -> None:
    """It does not remove the folder of a program that runs, nor a folder that only has the same prefix."""
    foreign = temporary_folder / "buntime-of-another-program"
    foreign.mkdir()
    command = [sys.executable, "-c", _PROGRAM]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        path = Path(program.stdout.readline().strip())
        assert temporary_folder == path.parent
        first = WorkspaceFolder()
        assert (path / "ses_1" / "a.txt").exists()
        program.kill()
    second = WorkspaceFolder()
    assert not path.exists()
    assert first.root.exists()
    for folder in (first, second):
        folder.remove()
        assert not folder.root.exists()
    foreign.rmdir()
