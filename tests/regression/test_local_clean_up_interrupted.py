"""A Ctrl-C while a LocalTransport cleaned up left folders, or a message about an exception at the exit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest

from buntime import Buntime
from buntime.service.workspace.disk import DiskWorkspace
from buntime.transport import LocalTransport


def _transport(root: Path, monkeypatch: pytest.MonkeyPatch, interrupts: int) -> LocalTransport:
    """Return a transport with three sessions whose clean-up is interrupted as it removes the second."""
    transport = LocalTransport(isolation="none", root=root)
    client = Buntime(transport=transport)
    for _ in range(3):
        client.sessions.create()
    remove, calls = DiskWorkspace.remove, iter(range(3))

    def interrupted(workspace: DiskWorkspace) -> None:
        if 1 <= next(calls, 3) <= interrupts:
            raise KeyboardInterrupt
        remove(workspace)

    monkeypatch.setattr(DiskWorkspace, "remove", interrupted)
    return transport


def _close_after(first: Optional[KeyboardInterrupt], transport: LocalTransport) -> None:
    try:
        if first:
            raise first
    finally:
        transport.close()


def test_an_interrupted_close_removes_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins again, and raises the KeyboardInterrupt when all is removed."""
    transport = _transport(tmp_path, monkeypatch, interrupts=1)
    with pytest.raises(KeyboardInterrupt):
        transport.close()
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("first", [None, KeyboardInterrupt()])
def test_a_second_interrupt_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: Optional[KeyboardInterrupt]
) -> None:
    """Two during the clean-up, or one during the clean-up after one."""
    transport = _transport(tmp_path, monkeypatch, interrupts=1 if first else 2)
    with pytest.raises(KeyboardInterrupt):
        _close_after(first, transport)
    assert 2 == len([*tmp_path.glob("*/*")])
    transport._executor.close()


def test_an_interrupt_at_the_exit_is_silent() -> None:
    """Python reports an exception of a function that it calls at the exit."""
    program = (
        "from buntime.transport.local import LocalTransport, WorkspaceFolder\n"
        "def interrupted(folder):\n"
        "    remove(folder)\n"
        "    raise KeyboardInterrupt\n"
        "remove, WorkspaceFolder.remove = WorkspaceFolder.remove, interrupted\n"
        "transport = LocalTransport(isolation='none')\n"
    )
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (0, "") == (ended.returncode, ended.stderr)
