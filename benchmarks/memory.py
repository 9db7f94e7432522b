"""The memory of this process."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path


def memory(field: str) -> int:
    """Return kilobytes: ``VmRSS`` is the memory now, ``VmHWM`` its peak; only the peak without ``/proc``."""
    # On Linux ru_maxrss is not the peak of this process: it starts with the parent's memory.
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // 1024 if sys.platform == "darwin" else peak
    match = re.search(rf"^{field}:\s*(\d+) kB", status, re.MULTILINE)
    return int(match[1]) if match else 0
