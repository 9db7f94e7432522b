"""Polls that wait in the session: each request is short, so that no proxy between ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Optional

from buntime.client.context import Context

STEP = 20.0
"""Seconds that one request waits in the session at most."""

STEP_LIMIT = 30
"""The time limit of such a request's execution."""

_PAUSE = 0.5


def polls(context: Context, timeout: Optional[float]) -> Iterator[float]:
    """Yield how long each request waits, together ``timeout`` seconds, and pause after early responses."""
    while True:
        wait = STEP if timeout is None else min(STEP, timeout)
        began = context.caller.monotonic()
        yield wait
        if timeout is not None:
            timeout -= wait
            if timeout <= 0:
                return
        pause(context, began, wait)


def pause(context: Context, began: float, wait: float) -> None:
    """Pause after a poll that began at ``began`` and should have waited ``wait`` seconds in the session.

    A service may respond early, without a result. Without a pause, each response would cause a request.
    """
    early = began + wait - context.caller.monotonic()
    if early > 0:
        context.caller.sleep(min(early, _PAUSE))
