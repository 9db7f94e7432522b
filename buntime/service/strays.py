"""Ending processes from outside, where their supervisor can no longer do it. Linux only."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

_TAG = re.compile(rb"^Max resident set +(\d+)", re.MULTILINE)
_ROUNDS = 100


def end_children(pid: int) -> None:
    """Kill the direct children of a process: of bubblewrap's, that is the first process of the sandbox."""
    for child in _processes():
        if _parent(child) == pid:
            _kill(child)


def end_tagged(above: int, up_to: int) -> None:
    """Kill whatever carries a tag in the range, in KB: see ``supervisor.js``."""
    for _ in range(_ROUNDS):
        found = [pid for pid in _processes() if above < _tag(pid) <= up_to and _alive(pid)]
        if not found:
            return
        for pid in found:
            _kill(pid)


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> list[bytes]:
    return _read(pid, "stat").rpartition(b")")[2].split()


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _alive(pid: int) -> bool:
    fields = _stat(pid)
    return bool(fields) and fields[0] not in {b"Z", b"X"}


def _tag(pid: int) -> int:
    found = _TAG.search(_read(pid, "limits"))
    return int(found[1]) >> 10 if found else 0


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return
