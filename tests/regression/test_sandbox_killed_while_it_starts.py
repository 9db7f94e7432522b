"""A bubblewrap that was killed while it started left a child that waited for it for ever."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime.service.executors import Limits
from buntime.service.machine import find, orphans
from buntime.service.machine.channel import Channel
from buntime.service.machine.launch import Isolated
from buntime.service.machine.sandbox import Sandbox
from tests.support.bun import TIMEOUT, all_pids, read_proc, wait_for_exit

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bubblewrap is for Linux")


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Path]:
    """Return the program of the child of :func:`bwrap`; its processes end with the test."""
    program = tmp_path / "child"
    shutil.copy("/bin/sleep", program)
    yield program
    for pid in _pids_of(program):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def bwrap(child: Path, tmp_path: Path) -> str:
    """Return a bubblewrap that never comes further than to its child."""
    script = tmp_path / "bwrap"
    script.write_text(f"#!/bin/sh\n{child} 1000 <&- >&- &\nwait\n")
    script.chmod(0o755)
    return str(script)


@pytest.fixture(autouse=True)
def _sees_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for children when the child is not there yet."""
    monkeypatch.setattr(orphans, "_processes", lambda: iter(()))


def _pids_of(program: Path) -> set[int]:
    return {pid for pid in all_pids() if read_proc(pid, "cmdline").startswith(os.fsencode(program))}


def _wait_for_child(program: Path) -> set[int]:
    end = time.monotonic() + TIMEOUT
    while not (pids := _pids_of(program)):
        assert time.monotonic() < end
    return pids


def test_a_session_that_is_given_up(bwrap: str, child: Path, tmp_path: Path) -> None:
    """Its channel kills bubblewrap and the child."""
    launcher = Isolated(Sandbox(bwrap, sys.executable))
    channel = Channel(launcher.start(tmp_path, Limits(), 60))
    pids = _wait_for_child(child)

    channel.fail("as a test")

    channel.close()
    wait_for_exit(pids)


def test_a_bubblewrap_that_is_tried(bwrap: str, child: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not answer in time is refused, and the child does not remain."""
    monkeypatch.setattr(find, "_PROBE_TIMEOUT", 0.5)

    assert "did not answer" in find._try(Sandbox(bwrap, sys.executable))
    wait_for_exit(_pids_of(child))
