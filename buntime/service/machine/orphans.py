"""Killing processes from outside, when their supervisor cannot do it any more. Linux only."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TAG = re.compile(rb"^Max resident set +(\d+)", re.MULTILINE)
_ROUNDS = 100

FIRST_TAG = 2**40
"""Where tags begin, in KB: at a petabyte, which is no program's limit."""


def kill_sandbox(process: subprocess.Popen[bytes]) -> None:
    """Kill the first process of a sandbox, with which all others and its bubblewrap end.

    It is bubblewrap's child. While bubblewrap starts it may not be there yet, and would then wait for ever
    for a bubblewrap that is killed alone: so both are killed, by their process group.
    """
    if process.poll() is None:
        children = [child for child in _processes() if _stat(child)[1] == b"%d" % process.pid]
        for pid in children or [-process.pid]:
            _kill(pid)


def kill_tagged(above: int, up_to: int) -> None:
    """Kill every process with a tag in the range, in KB: see ``supervisor/launch.js``.

    Raises ``ValueError`` for a range that begins below :data:`FIRST_TAG`, which could hit other processes.
    """
    if above < FIRST_TAG:
        raise ValueError(f"tags begin at {FIRST_TAG}, and {above} is below")
    # Again until a round finds none: between the look and the kill a process may have forked.
    for _ in range(_ROUNDS):
        tagged = [pid for pid in _processes() if above < _tag(pid) <= up_to and _stat(pid)[0] not in b"ZX"]
        if not tagged:
            return
        for pid in tagged:
            _kill(pid)


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))


def _stat(pid: int) -> list[bytes]:
    """Return state, parent and more of a process; of one that has ended, as of a zombie."""
    return _read(pid, "stat").rpartition(b")")[2].split() or [b"Z", b"0"]


def _tag(pid: int) -> int:
    limit = _TAG.search(_read(pid, "limits"))
    return int(limit[1]) >> 10 if limit else -1


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _kill(pid: int) -> None:
    with suppress(OSError):
        os.kill(pid, signal.SIGKILL)
