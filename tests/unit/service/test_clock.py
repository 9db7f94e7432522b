"""The clock of this machine."""

from __future__ import annotations

import time

from buntime.service.clock import SystemClock


def test_the_system_clock_reads_this_machines_time() -> None:
    """Date and seconds lie between two readings of the standard library's clocks."""
    clock = SystemClock()
    date, seconds = time.time(), time.monotonic()

    assert date <= clock.time() <= time.time()
    assert seconds <= clock.monotonic() <= time.monotonic()
