"""Waiting at the plan's limits: requests per minute, and open sessions."""

from __future__ import annotations

import threading
from typing import Callable, Optional

from buntime._http import SupportsTime
from buntime._support.log import logger
from buntime.engine.caller import Caller
from buntime.engine.retries import LONGEST_DELAY
from buntime.errors import BuntimeError, RateLimitError

MAX_WAIT = 1.0
"""Seconds of a single wait. A Ctrl-C just before a wait, and any on Windows, is only noticed after it."""

_LONGEST_PAUSE = 24 * 3600.0
_FIRST_PAUSE = 1.0


def check_open(stopping: threading.Event) -> None:
    """Raise ``RuntimeError`` if ``stopping``, which closing the pool sets, is set."""
    if stopping.is_set():
        raise RuntimeError("the pool is closed")


class StoppableClock:
    """The client's clock, with waits that end when an event is set."""

    def __init__(self, caller: Caller) -> None:
        self.is_real: bool = not isinstance(caller.transport, SupportsTime)
        """Whether time passes by itself; otherwise it passes when a thread sleeps on the transport."""
        self.now: Callable[[], float] = caller.monotonic
        self._sleep = caller.sleep
        self._sleeping = threading.Lock()

    def wait_until(self, moment: float, stopping: threading.Event) -> None:
        """Wait; raise ``RuntimeError`` as soon as ``stopping`` is set."""
        if self.is_real:
            while not stopping.is_set() and (seconds := moment - self.now()) > 0:
                stopping.wait(min(seconds, MAX_WAIT))
        else:
            # One thread sleeps for all that wait: each sleep moves the transport's clock.
            with self._sleeping:
                if (seconds := moment - self.now()) > 0:
                    self._sleep(seconds)
        check_open(stopping)


class RateLimitGate:
    """Holds back every request of a pool after a 429, for ``Retry-After`` seconds, a day at most.

    A call whose waits would take longer than ``max_wait`` seconds in all is not repeated.
    """

    def __init__(self, clock: StoppableClock, retry_delay: float, max_wait: float) -> None:
        self.clock: StoppableClock = clock
        self._max_wait = max_wait
        self._first_pause = max(_FIRST_PAUSE, retry_delay)
        # Without a lock: after a thread reads or writes an older value, one request more is refused.
        self._opens_at = float("-inf")

    def wait(self, stopping: threading.Event) -> float:
        """Wait until the gate is open and return the time then; ``RuntimeError`` once ``stopping`` is set."""
        if self._opens_at > self.clock.now():
            self.clock.wait_until(self._opens_at, stopping)
        return self.clock.now()

    def close(self, error: RateLimitError, started: float, refusals: int, waited: float) -> None:
        """Close it; without ``Retry-After``, for longer after each refusal of the same call."""
        # Counted from when the request was sent, so that threads refused together wait only once.
        pause = error.retry_after or min(LONGEST_DELAY, self._first_pause * 2.0 ** min(refusals - 1, 64))
        pause = min(pause, _LONGEST_PAUSE)
        if waited + pause > self._max_wait:
            raise waited_too_long(error, waited, self._max_wait)
        opens_at = started + pause
        if opens_at > self._opens_at:
            self._opens_at, seconds = opens_at, opens_at - self.clock.now()
            logger().info("%s: rate limit (429); requests of the pool wait %.1f s", error.call, seconds)


def waited_too_long(error: BuntimeError, waited: float, max_wait: float) -> BuntimeError:
    """Return the error of a limit, with a hint that the pool waits no longer."""
    error.hint = f"The pool waited {waited:.0f} s; with the next wait it would exceed max_wait={max_wait:g}"
    return error


class SessionQuota:
    """Allows ``size`` sessions until the service refuses one, then those there are and one more periodically.

    The registry calls it with its lock held.
    """

    def __init__(self, size: int, clock: StoppableClock) -> None:
        # Three states: no limit was met (``_allowed == _size``), one was (below it), and one request is under
        # way that asks whether there is more (``_trying``).
        self._size = self._allowed = size
        self._clock = clock
        self._trying = False
        self._pause = _FIRST_PAUSE
        self._next_try = 0.0

    def next_try(self, count: int) -> float:
        """When to try to create one more beside ``count``; infinite if it takes a session to end before."""
        return float("inf") if count >= self._size else self._next_try

    def has_capacity(self, count: int) -> bool:
        """Whether one more session may be created beside ``count``."""
        if count < self._allowed:
            return True
        if self._clock.now() < self.next_try(count):
            return False
        # If this attempt takes longer than the pause, another thread makes one.
        self._trying, self._next_try = True, self._clock.now() + self._pause
        return True

    def on_refused(self, count: int, retry_after: Optional[float]) -> None:
        """Record that a session was refused beside at most ``count``. Concurrent refusals count once."""
        now = self._clock.now()
        # Requests that were under way together are refused together: the first alone doubles the pause.
        first = self._trying or now >= self._next_try
        if self._allowed == self._size:
            logger().warning("no more sessions can be open; the pool continues with those it has, or waits")
        self._trying, self._allowed = False, min(self._allowed, count)
        if first or retry_after:
            self._next_try = now + min(retry_after or self._pause, _LONGEST_PAUSE)
            logger().info("session limit: %d open, next attempt in %.1f s", count, self._next_try - now)
        if first:
            self._pause = min(LONGEST_DELAY, 2 * self._pause)

    def on_created(self, count: int) -> None:
        """Record that a session was created; after a successful attempt the next may follow immediately."""
        if self._trying:
            # Sessions may have ended since the attempt began.
            self._trying, self._allowed = False, max(self._allowed, count)
            self._pause, self._next_try = _FIRST_PAUSE, self._clock.now()
