"""The sessions of a pool: made when needed, lent to one borrower at a time, deleted for sure."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections import deque
from typing import Any, Callable, Optional

from buntime._pool_leases import Lease, WatchedExchange, sessions_over
from buntime._pool_limits import CLOSED, SLICE, Clock, Gate, PoolExchange
from buntime._pool_room import Room
from buntime._pool_threads import Run, at_once
from buntime._support.log import logger
from buntime.client.owned import OwnedSessions
from buntime.client.session import Session
from buntime.client.sessions import Sessions
from buntime.engine.caller import Caller
from buntime.engine.retries import RetryPolicy
from buntime.errors import BuntimeError, SessionNotFoundError
from buntime.wire.error_responses import is_session_limit

_RETRIES = 2
"""Of a deletion, however few others may have."""


class Stock:
    """At most ``size`` sessions, in the process that made the stock.

    ``_changed`` guards all that follows it. A session is being made by one of the threads ``_making``, or is
    ``_idle``, or ``_lent``. Only a lent one is deleted: it is in ``_left`` too until that has succeeded, and
    its place is free after the attempt. There are never more than there is ``_room`` for.

    What was not closed when the program ends is closed then.
    """

    def __init__(
        self,
        own: Caller,
        created: Optional[OwnedSessions],
        make: Callable[[Sessions], Session],
        *,
        size: int,
        reuse: bool,
    ) -> None:
        self.pid = os.getpid()
        self.closing = threading.Event()
        self.threaded = not getattr(own.transport, "sequential", False)
        """Whether the transport can do with calls at the same time, whatever their order."""
        self._own = own
        self._created = created
        self._make = make
        self._size = size
        self._reuse = reuse
        self._clock = Clock(own)
        self._gate = Gate(self._clock)
        policy = RetryPolicy(max(_RETRIES, own.policy.max_retries), own.policy.retry_delay)
        self._deleting = sessions_over(PoolExchange(own, self._clock, policy), created)
        self._changed = threading.Condition()
        self._idle: list[Lease] = []
        # In their order, so that a recording is the same each time.
        self._lent: dict[Lease, None] = {}
        self._making: set[int] = set()
        self._queue: deque[object] = deque()
        self._runs: set[Run[Any, Any]] = set()
        self._left: dict[Lease, None] = {}
        self._room = Room(size, self._clock, self._changed)
        self._registered = False

    @property
    def count(self) -> int:
        """How many sessions there are, those that are being made included."""
        return len(self._idle) + len(self._lent) + len(self._making)

    def check_open(self, stopping: Optional[threading.Event] = None) -> None:
        """Raise ``RuntimeError`` where it was closed, or ``stopping`` is set."""
        if self.closing.is_set() or (stopping is not None and stopping.is_set()):
            raise RuntimeError(CLOSED)

    def borrow(self, stopping: threading.Event, timeout: Optional[int] = None) -> Lease:
        """Return a session that nobody else has, and will not before :meth:`give_back`.

        It lives long enough for an execution of ``timeout`` seconds. Raises ``RuntimeError`` once
        ``stopping`` is set, and what making a session raises.
        """
        while True:
            lease = self._place(stopping) or self._new(stopping)
            if lease is None:
                continue
            if lease.worn(timeout):
                self._discard(lease)
            elif stopping.is_set():
                # Looked at after the lease can be seen by end(), which looks after this was set.
                self.give_back(lease)
                raise RuntimeError(CLOSED)
            else:
                return lease

    def give_back(self, lease: Lease, *, used: bool = True) -> None:
        """Take a session back, to be lent again or deleted. In a forked child nothing happens."""
        if os.getpid() != self.pid:
            return
        with self._changed:
            if (self._reuse or not used) and lease.fit and not self.closing.is_set():
                self._lent.pop(lease, None)
                self._idle.append(lease)
                self._changed.notify_all()
                return
        self._discard(lease)

    def warm(self, count: int) -> int:
        """Make sessions until there are ``count`` or the service gives no more; return how many there are."""
        self.check_open()
        failures: list[Exception] = []

        def make(_number: int) -> None:
            try:
                lease = self._new(self.closing) if self._take_place(count) else None
            except Exception as error:
                failures.append(error)
            else:
                if lease is not None:
                    self.give_back(lease, used=False)

        at_once(make, range(count - self.count), threaded=self.threaded)
        if failures:
            raise failures[0]
        return self.count

    def begin(self, run: Run[Any, Any]) -> None:
        """Know of a run, so that :meth:`close` ends it."""
        with self._changed:
            self.check_open(run.stopping)
            self._runs.add(run)

    def end(self, run: Run[Any, Any], *, interrupted: bool) -> None:
        """End a run: begin nothing more, end what runs by deleting its session, join the threads.

        Where it was ``interrupted``, the idle sessions are deleted too. On a thread of a run, where a loop
        that was forgotten may be collected, another does all that.
        """
        if os.getpid() != self.pid or sys.is_finalizing():
            return
        # A copy, as others change it meanwhile.
        if any(other.works_here() for other in self._runs.copy()):
            run.end_aside(lambda: self._end(run, interrupted=interrupted))
        else:
            self._end(run, interrupted=interrupted)

    def _end(self, run: Run[Any, Any], *, interrupted: bool) -> None:
        run.stop()
        with self._changed:
            self._changed.notify_all()
            running = [lease for lease in self._lent if lease.stopping is run.stopping]
            for lease in running:
                lease.doomed = True
        at_once(self._delete, running, threaded=self.threaded)
        run.join()
        if interrupted:
            with self._changed:
                idle = self._lend_idle()
            at_once(self._discard, idle, threaded=self.threaded)
        with self._changed:
            self._runs.discard(run)

    def close(self) -> None:
        """End everything and delete every session; raise the first error after the last. May be repeated."""
        if os.getpid() != self.pid:
            return
        runs = self._end_all()
        for run in runs:
            run.join()
        for lease in list(self._left):
            if lease.error is not None:
                raise lease.error
        atexit.unregister(self._at_exit)

    def _at_exit(self) -> None:
        """Delete every session; a function that hangs does not keep the program from ending."""
        if os.getpid() == self.pid:
            self._end_all()

    def _end_all(self) -> list[Run[Any, Any]]:
        self.closing.set()
        with self._changed:
            idle = self._lend_idle()
            runs, leases = list(self._runs), list({**self._left, **self._lent})
            for lease in leases:
                lease.doomed = True
            self._changed.notify_all()
        for run in runs:
            run.stop()
        at_once(self._delete, leases, threaded=self.threaded)
        with self._changed:
            for lease in idle:
                self._lent.pop(lease, None)
            # Whoever makes one now deletes it before leaving the place.
            while not self._making <= {threading.get_ident()}:
                self._changed.wait(SLICE)
        return runs

    def _place(self, stopping: threading.Event) -> Optional[Lease]:
        """Return an idle session, lent; ``None`` where a place was taken for one to be made.

        Who comes first is served first, so that a call with many items keeps no other waiting.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            try:
                while self._queue[0] is not ticket:
                    self._changed.wait(SLICE)
                    self.check_open(stopping)
                return self._first_place(stopping)
            finally:
                self._queue.remove(ticket)
                self._changed.notify_all()

    def _first_place(self, stopping: threading.Event) -> Optional[Lease]:
        while True:
            self.check_open(stopping)
            if self._idle:
                lease = self._idle.pop()
                self._lent[lease] = None
                lease.lend(stopping)
                return lease
            if self._take_place(self._size):
                return None
            self._room.wait(self.count, stopping)

    def _take_place(self, count: int) -> bool:
        """Take a place for a session to be made, as long as there are fewer than ``count``."""
        with self._changed:
            self.check_open()
            free = self.count < count and self._room.has(self.count)
            if free:
                self._making.add(threading.get_ident())
            return free

    def _new(self, stopping: threading.Event) -> Optional[Lease]:
        """Return a new session in the place that was taken, lent; ``None`` where the plan has none left."""
        try:
            lease = self._made(stopping)
        except BaseException as error:
            with self._changed:
                self._leave_place()
                if isinstance(error, BuntimeError) and is_session_limit(error):
                    self._room.refused(self.count, error.retry_after)
                    return None
            raise
        with self._changed:
            self._lent[lease] = None
            if not self.closing.is_set():
                self._leave_place()
                self._room.given()
                return lease
        try:
            self._discard(lease)
        finally:
            with self._changed:
                self._leave_place()
        raise RuntimeError(CLOSED)

    def _leave_place(self) -> None:
        self._making.discard(threading.get_ident())
        self._changed.notify_all()

    def _made(self, stopping: threading.Event) -> Lease:
        caller = WatchedExchange(self._own, self._clock, self._gate)
        caller.begin(stopping)
        session = self._make(sessions_over(caller, self._created))
        # The pool deletes it, whatever a borrower does.
        session._owned = False
        caller.begin(stopping)
        if not self._registered:
            self._registered = True
            atexit.register(self._at_exit)
        return Lease(session, caller, session.remaining, stopping)

    def _lend_idle(self) -> list[Lease]:
        """Take all idle sessions, to be deleted."""
        idle, self._idle = self._idle, []
        self._lent.update(dict.fromkeys(idle))
        return idle

    def _discard(self, lease: Lease) -> None:
        """Delete a session, and free its place."""
        try:
            self._delete(lease)
        finally:
            with self._changed:
                self._lent.pop(lease, None)
                self._changed.notify_all()

    def _delete(self, lease: Lease) -> None:
        """Delete a session, unless it has ended; where that fails, :meth:`close` tries again."""
        if not self._begin_deleting(lease):
            return
        try:
            self._deleting.delete(lease.session.id)
        except SessionNotFoundError:
            logger().debug("session %s had ended before it was deleted", lease.session.id)
            self._deleted(lease)
        except Exception as error:
            lease.error = error
            logger().warning("session %s was not deleted: %s", lease.session.id, error)
        else:
            self._deleted(lease)
        finally:
            with self._changed:
                lease.deleter = None
                self._changed.notify_all()

    def _begin_deleting(self, lease: Lease) -> bool:
        """Whether this thread is to delete it; where another does, wait for what comes of that."""
        this = threading.get_ident()
        with self._changed:
            waited = False
            while lease.deleter is not None:
                if lease.deleter == this:
                    return False
                waited = True
                self._changed.wait(SLICE)
            if lease.caller.ended or (waited and lease.error is not None):
                return False
            lease.deleter, lease.error = this, None
            self._left[lease] = None
            return True

    def _deleted(self, lease: Lease) -> None:
        with self._changed:
            lease.caller.ended = True
            self._left.pop(lease, None)
