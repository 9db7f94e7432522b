"""Ending processes from outside, where their supervisor can no longer do it. Linux only."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

_TAG = re.compile(rb"^Max resident set +(\d+)", re.MULTILINE)
_ROUNDS = 100

FIRST_TAG = 2**40
"""Where tags begin, in KB: at a petabyte, which nobody else sets as a limit."""


def end_children(pid: int) -> bool:
    """Kill the children of a process, and say whether it had any.

    Of bubblewrap's that is the first process of the sandbox, and all others end with it.
    """
    children = [child for child in _processes() if _parent(child) == pid]
    for child in children:
        _kill(child)
    return bool(children)


def kill_tagged(above: int, up_to: int) -> None:
    """Kill whatever carries a tag in the range, in KB: see ``supervisor.js``.

    Raises ``ValueError`` for a range that reaches below :data:`FIRST_TAG`, where processes of others are.
    """
    if above < FIRST_TAG:
        raise ValueError(f"tags begin at {FIRST_TAG}, and {above} is below")
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
    return int(found[1]) >> 10 if found else -1


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return
