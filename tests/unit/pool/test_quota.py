"""How soon a pool tries to create another session after one was refused."""

from __future__ import annotations

import logging
import threading

import pytest

from buntime import Buntime
from buntime.pool.limits import SessionQuota, StoppableClock
from tests.support.scripted import ScriptedTransport


def _quota(transport: ScriptedTransport) -> tuple[SessionQuota, StoppableClock]:
    clock = StoppableClock(Buntime(transport=transport)._context.caller)
    return SessionQuota(8, clock), clock


def _seconds_to_next_try(quota: SessionQuota, clock: StoppableClock) -> float:
    """Return how long a pool without sessions waits before it tries to create one."""
    before = clock.now()
    assert not quota.has_capacity(0)
    clock.wait_until(quota.next_try(0), threading.Event())
    assert quota.has_capacity(0)
    return clock.now() - before


def test_concurrent_refusals_count_once() -> None:
    """The pause is a second at first, and grows with each attempt that is refused."""
    quota, clock = _quota(ScriptedTransport())
    for _ in range(8):
        quota.on_refused(0, None)
    pauses = [_seconds_to_next_try(quota, clock)]
    for _ in range(6):
        quota.on_refused(0, None)
        pauses.append(_seconds_to_next_try(quota, clock))
    assert [1, 2, 4, 8, 16, 30, 30] == pauses


def test_retry_after_is_respected() -> None:
    """Of several refusals, the last that has the header counts."""
    quota, clock = _quota(ScriptedTransport())
    for seconds in (90.0, 20.0, None):
        quota.on_refused(0, seconds)
    assert 20 == _seconds_to_next_try(quota, clock)


def test_refusals_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The first as a warning, and each wait with its length."""
    caplog.set_level(logging.INFO, "buntime")
    quota, _ = _quota(ScriptedTransport())
    quota.on_refused(3, 90.0)
    quota.on_refused(3, 20.0)
    assert [
        (logging.WARNING, "no more sessions can be open; the pool continues with those it has, or waits"),
        (logging.INFO, "session limit: 3 open, next attempt in 90.0 s"),
        (logging.INFO, "session limit: 3 open, next attempt in 20.0 s"),
    ] == [(record.levelno, record.getMessage()) for record in caplog.records]


def test_a_plan_that_grows_is_used() -> None:
    """After a success the next attempt may follow immediately, up to the size of the pool."""
    quota, clock = _quota(ScriptedTransport())
    quota.on_refused(6, None)
    clock.wait_until(quota.next_try(6), threading.Event())
    assert quota.has_capacity(6)
    assert not quota.has_capacity(6), "one attempt at a time"
    quota.on_created(7)
    assert quota.has_capacity(7)
    quota.on_created(8)
    assert not quota.has_capacity(8)
    assert float("inf") == quota.next_try(8)
