"""How many sessions the service lets a pool have."""

from __future__ import annotations

import threading
from typing import Optional

from buntime._pool_limits import LONGEST_WAIT, SLICE, Clock
from buntime._support.log import logger
from buntime.engine.retries import LONGEST_DELAY

_FIRST_PAUSE = 1.0


class Room:
    """Room for ``size`` sessions until one is refused; then for those there are, and now and then one more.

    ``changed`` is held by whoever calls.
    """

    def __init__(self, size: int, clock: Clock, changed: threading.Condition) -> None:
        self._size = size
        self._clock = clock
        self._changed = changed
        self._room = size
        self._asking = False
        self._again = 0.0
        self._pause = _FIRST_PAUSE
        self._told = False

    def has(self, count: int) -> bool:
        """Whether there is room beside ``count`` sessions."""
        return count < self._room

    def wait(self, count: int, stopping: threading.Event) -> None:
        """Wait until something may have changed: a session came back, or it is time to ask for one more."""
        left = 0.0 if self._room == self._size else self._again - self._clock.now()
        if self._room == self._size or (left > 0 and count and not self._clock.passes):
            self._changed.wait(SLICE)
        elif left > 0 and self._clock.passes:
            self._changed.wait(min(left, SLICE))
        else:
            if left > 0:
                self._clock.until(self._again, stopping)
            self._ask(count)

    def _ask(self, count: int) -> None:
        # One asks; another does where that takes long.
        self._asking, self._room = True, count + 1
        self._again = self._clock.now() + self._pause

    def refused(self, count: int, retry_after: Optional[float]) -> None:
        """Note that a session was refused; ``count`` are left. Refusals at the same time count once."""
        now = self._clock.now()
        first = self._asking or now >= self._again
        self._asking, self._room = False, count
        if first or retry_after:
            self._again = now + min(retry_after or self._pause, LONGEST_WAIT)
        if first:
            self._pause = min(LONGEST_DELAY, 2 * self._pause)
        if not self._told:
            self._told = True
            logger().warning(
                "no more sessions can be open; the pool goes on with those it has and waits where it has none"
            )

    def given(self) -> None:
        """Note that a session was made: where it was one more than before, the next may be asked for."""
        if self._asking:
            self._asking, self._pause, self._again = False, _FIRST_PAUSE, self._clock.now()
