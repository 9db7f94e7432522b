"""A part of the long run."""

from __future__ import annotations

import pytest

from tests.faults.long_run import LongRun

pytestmark = pytest.mark.one_python

_MEGABYTES = 40
"""The growth that the allocator and the caches of a young process may have."""


def test_nothing_is_lost_crossed_or_duplicated() -> None:
    """1,000 calls on one client in several threads, with faults at 5 % of the requests."""
    report = LongRun(1_000, seed=1, fault_rate=0.05).run()
    assert {} == report.failures()
    assert 1_000 == report.calls
    assert report.faults > 20
    assert report.growth < _MEGABYTES
