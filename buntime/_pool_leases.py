"""One session of a pool, and what its calls tell of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Callable, Optional, TypeVar

import attrs

from buntime._http import Request, Response
from buntime._pool_limits import Clock, Gate, LimitedExchange
from buntime.client.owned import OwnedSessions
from buntime.client.session import Session
from buntime.client.sessions import Sessions
from buntime.engine.caller import Caller
from buntime.errors import BuntimeError, SessionNotFoundError
from buntime.wire.buffered import BufferedResponse
from buntime.wire.requests import EXECUTION_LIMIT

T = TypeVar("T")

_SPARE = 30.0


class WatchedExchange(LimitedExchange):
    """Makes the calls of one session, and knows what they tell of it."""

    def __init__(self, own: Caller, clock: Clock, gate: Gate) -> None:
        super().__init__(own, clock, gate)
        self._lock = threading.Lock()
        self._calls = 0
        self._streams = 0
        self._refused: Optional[SessionNotFoundError] = None
        self.ended = False
        """Whether there is no such session any more."""
        self.broken = False
        """Whether something may still run in the session, or its disk is full."""

    def begin(self, stopping: threading.Event) -> None:
        """Forget the calls so far; those that follow end their waiting when ``stopping`` is set."""
        self._pauses.stopping = stopping
        self._calls = 0
        self._refused = None

    def only_refused(self, error: Optional[BaseException]) -> bool:
        """Whether one call is all that was made since :meth:`begin`, and failed so: there is no session."""
        return error is not None and error is self._refused and self._calls == 1

    def delete(self, request: Request, decode: Callable[[BufferedResponse], None]) -> None:
        """As :meth:`Exchange.delete`."""
        super().delete(request, decode)
        self.ended = True

    def stream(
        self, request: Request, *, idempotent: bool, read_timeout: float | None
    ) -> tuple[Response, Iterator[bytes], int]:
        """As :meth:`Exchange.stream`."""
        opened = super().stream(request, idempotent=idempotent, read_timeout=read_timeout)
        with self._lock:
            self._streams += 1
        return opened

    def on_stream_complete(self) -> None:
        """As :meth:`Exchange.on_stream_complete`."""
        with self._lock:
            self._streams -= 1

    @property
    def busy(self) -> bool:
        """Whether an execution may go on: not all that was streamed has been read to its end."""
        return self._streams > 0

    def judge(self, error: Optional[BaseException]) -> None:
        """Note what a borrower's error tells of the session.

        One that was not found may be another: this one is deleted all the same.
        """
        if isinstance(error, BuntimeError):
            # A full disk is a 507, which may have been executed too.
            self.broken |= error.maybe_executed or isinstance(error, SessionNotFoundError)
        elif error is not None and not isinstance(error, Exception):
            # What was interrupted goes on in the session.
            self.broken = True

    def _made(self, call: Callable[[int], T]) -> T:
        with self._lock:
            self._calls += 1
        try:
            return super()._made(call)
        except BaseException as error:
            self.judge(error)
            if isinstance(error, SessionNotFoundError):
                self.ended = True
                self._refused = None if error.maybe_executed else error
            raise


@attrs.define(eq=False)
class Lease:
    """A session of the pool. One borrower at a time has it."""

    session: Session
    caller: WatchedExchange
    lifetime: Optional[float]
    stopping: threading.Event
    """Of the borrower: set where it is to end."""
    fresh: bool = True
    """Whether it was made for the borrower."""
    doomed: bool = False
    """Whether it is not to be lent again."""
    deleter: Optional[int] = None
    """The thread that deletes it now."""
    error: Optional[Exception] = None
    """Why it could not be deleted."""

    def lend(self, stopping: threading.Event) -> None:
        """Begin to be lent once more."""
        self.stopping, self.fresh = stopping, False
        self.caller.begin(stopping)

    @property
    def fit(self) -> bool:
        """Whether it can be lent again."""
        return not (self.doomed or self.caller.ended or self.caller.broken or self.caller.busy)

    def worn(self, timeout: Optional[int]) -> bool:
        """Whether it may end before an execution of ``timeout`` seconds, in the second half of its life."""
        left = self.session.remaining
        if self.fresh or left is None or self.lifetime is None:
            return False
        limits = self.session.resource_limits
        limit = timeout or (limits and limits.timeout) or EXECUTION_LIMIT
        return left < min(limit + _SPARE, self.lifetime / 2)

    def ended_before(self, error: Optional[BaseException]) -> bool:
        """Whether the item failed because the session had ended before anything was done in it.

        One that was made for the item has not. One whose time is over now may have ended at work.
        """
        return not self.fresh and self.caller.only_refused(error) and self.session.remaining != 0


def sessions_over(caller: Caller, created: Optional[OwnedSessions]) -> Sessions:
    """Return the calls of ``client.sessions`` over another exchange."""
    return Sessions(caller, created)
