"""How much memory a process has."""

from __future__ import annotations

import sys


def resident() -> int:
    """Return the bytes that this process has in memory now; the most it ever had where that is not told."""
    return _of_proc("VmRSS") or _most_ever()


def peak() -> int:
    """Return the most bytes that this process had in memory.

    Linux's own figure, as ``ru_maxrss`` begins with what the parent had.
    """
    return _of_proc("VmHWM") or _most_ever()


def _of_proc(field: str) -> int:
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(field))
    except (OSError, StopIteration):
        return 0


def _most_ever() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
