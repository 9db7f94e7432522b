"""One session of a pool: its state, and what its calls reveal about it."""

from __future__ import annotations

import math
import threading
from contextlib import suppress
from enum import Enum
from typing import Any, Optional

import attrs

from buntime.client.context import Context
from buntime.client.session import Session
from buntime.client.sessions import Sessions
from buntime.errors import BuntimeError, RateLimitError, SessionNotFoundError
from buntime.pool.limits import RateLimitGate
from buntime.wire.error_responses import is_session_limit
from buntime.wire.requests import EXECUTION_LIMIT

_SPARE = 30.0


class LeaseState(Enum):
    """CHANGING → LEASED ⇄ IDLE; these → CHANGING → NOT_DELETED, unless the deletion succeeds."""

    CHANGING = "a thread creates or deletes its session"
    LEASED = "one worker has its session"
    IDLE = "its session waits for a worker"
    NOT_DELETED = "the deletion failed; closing the pool tries again"


@attrs.define(eq=False)
class Lease:
    """A session that one worker at a time holds, and the hooks of the calls in it (see ``CallHooks``).

    The registry alone changes ``state``. ``ended`` is set when the service reports that the session is gone,
    ``tainted`` when something may still run in it or its disk is full.
    """

    gate: RateLimitGate
    stopping: threading.Event  # set when the work of the holder is to end
    state: LeaseState = LeaseState.CHANGING
    thread: int = attrs.field(factory=threading.get_ident)  # which creates or deletes the session
    session: Session = attrs.field(init=False)
    ended: bool = False
    tainted: bool = False
    error: Optional[Exception] = None  # why the session was not deleted
    _lock: threading.Lock = attrs.field(factory=threading.Lock)
    _lifetime: Optional[float] = None
    _calls: int = 0
    _open_streams: int = 0
    _not_found: Optional[SessionNotFoundError] = None

    def create(self, context: Context, options: tuple[Any, ...]) -> None:
        """Create the session, by ``sessions.create(*options)``."""
        sessions = Sessions(context.over(context.caller.evolve(hooks=self)))
        self.session = sessions.create(*options)
        # Its holder must not delete it by leaving a block.
        self.session._owned = False
        self._lifetime = self.session.remaining

    def delete(self, context: Context, seconds: float) -> None:
        """Delete the session, unless it has ended; in haste if there is a limit of the seconds."""
        if not self.ended:
            if seconds < math.inf:
                context = context.over(context.caller.for_cleanup(seconds))
            with suppress(SessionNotFoundError):
                context.delete_session(self.session.id)

    def check_out(self, stopping: threading.Event) -> None:
        """Begin to be held by other work than the session was created for."""
        self.state, self.stopping, self._calls = LeaseState.LEASED, stopping, 0

    @property
    def reusable(self) -> bool:
        """Whether another worker can have it; not if a stream was left, whose execution continues."""
        return not (self.ended or self.tainted or self._open_streams or self.stopping.is_set())

    def expires_before(self, timeout: Optional[int]) -> bool:
        """Whether it may expire in an execution of ``timeout`` seconds, and half of its life is over."""
        remaining = self.session.remaining
        if remaining is None or self._lifetime is None:
            return False
        limits = self.session.resource_limits
        limit = timeout or (limits and limits.timeout) or EXECUTION_LIMIT
        return remaining < min(limit + _SPARE, self._lifetime / 2)

    def session_was_gone(self, error: BaseException) -> bool:
        """Whether an item failed because the session had ended before anything was done in it."""
        # Its only call was refused because there was no session. If the session was created for the item,
        # that was a call too. A session whose time is over by now may have ended during the work.
        return error is self._not_found and self._calls == 1 and self.session.remaining != 0

    def record(self, error: BaseException) -> None:
        """Note an error of the holder. A session it did not find may be another: this one is deleted too."""
        if isinstance(error, BuntimeError):
            # A full disk is a 507, which may have been executed too.
            self.tainted |= error.maybe_executed or isinstance(error, SessionNotFoundError)
        elif not isinstance(error, Exception):
            # An interrupted execution continues in the session.
            self.tainted = True

    def before_call(self) -> float:
        """Wait at the rate limit, and count the call."""
        started = self.gate.wait(self.stopping)
        with self._lock:
            self._calls += 1
        return started

    def on_rate_limit(self, error: RateLimitError, started: float, refusals: int, waited: float) -> None:
        """Close the gate; the call is counted again when it is repeated."""
        if is_session_limit(error):
            raise error
        self.gate.close(error, started, refusals, waited)
        with self._lock:
            self._calls -= 1

    def sleep(self, seconds: float, /) -> None:
        """Wait before a retry, unless the work of the holder is to end."""
        self.gate.clock.wait_until(self.gate.clock.now() + seconds, self.stopping)

    def on_error(self, error: BaseException) -> None:
        """Note an error of a call in this session."""
        self.record(error)
        if isinstance(error, SessionNotFoundError):
            self.ended = True
            self._not_found = None if error.maybe_executed else error

    def on_deleted(self) -> None:
        """Note that the holder deleted the session."""
        self.ended = True

    def on_stream(self, change: int) -> None:
        """Count the streams that were not read to the end."""
        with self._lock:
            self._open_streams += change
