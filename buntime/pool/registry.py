"""The sessions of a pool in one process."""

from __future__ import annotations

import math
import sys
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, Callable, Optional

import attrs

from buntime._http import SupportsOrder
from buntime._support.closing import CLEANUP_SECONDS, AtExit, Cleanup
from buntime._support.log import logger
from buntime._support.owner import Owner
from buntime.client.context import Context
from buntime.client.sessions import Sessions
from buntime.errors import BuntimeError, SessionNotFoundError
from buntime.pool import limits
from buntime.pool.bounded_map import Stoppable, run_concurrently
from buntime.pool.lease import Lease, LeaseState
from buntime.wire.error_responses import is_session_limit

_DELETE_RETRIES = 2  # at least, however few the client has
_IN_PROGRESS = (LeaseState.CREATING, LeaseState.DELETING)
_DELETABLE = (LeaseState.LEASED, LeaseState.IDLE, LeaseState.NOT_DELETED)


@attrs.define(eq=False, repr=False)
class SessionRegistry:
    """Creates the pool's sessions on demand, leases each to one worker at a time, and deletes all of them.

    ``_changed`` guards the attributes after it and the state of each lease. Sessions left at the end of the
    program are deleted then.
    """

    context: Context
    options: tuple[Any, ...]  # arguments of ``sessions.create``
    size: int
    reuse: bool
    max_wait: float
    owner: Owner = attrs.field(init=False, factory=Owner)
    closing: threading.Event = attrs.field(init=False, factory=threading.Event)
    at_exit: AtExit = attrs.field(init=False)  # registered with the first session: an unused pool is garbage
    threaded: bool = attrs.field(init=False)  # whether the transport allows concurrent calls, in any order
    _deleting: Context = attrs.field(init=False)
    _clock: limits.StoppableClock = attrs.field(init=False)
    _gate: limits.RateLimitGate = attrs.field(init=False)
    _changed: threading.Condition = attrs.field(init=False, factory=threading.Condition)
    # Every session that the service may have is here, those used last at the end: its lease is added before
    # the request is sent, and removed when the service confirmed the end. So close() misses none.
    _leases: list[Lease] = attrs.field(init=False, factory=list)
    _waiting: deque[object] = attrs.field(init=False, factory=deque)
    _work: set[Stoppable] = attrs.field(init=False, factory=set)
    _quota: limits.SessionQuota = attrs.field(init=False)
    _deleted: int = 0

    def __attrs_post_init__(self) -> None:
        caller = self.context.caller
        transport, policy = caller.transport, caller.policy
        self.threaded = not (isinstance(transport, SupportsOrder) and transport.sequential)
        # Deletions do not wait at the gate: nothing may be left.
        policy = attrs.evolve(policy, max_retries=max(_DELETE_RETRIES, policy.max_retries))
        self._deleting = self.context.over(caller.evolve(policy=policy))
        self._clock = limits.StoppableClock(caller)
        self._gate = limits.RateLimitGate(self._clock, policy.retry_delay, self.max_wait)
        self._quota = limits.SessionQuota(self.size, self._clock)
        self.at_exit = AtExit(partial(self.close, at_exit=True))

    @property
    def count(self) -> int:
        """How many sessions there are, including those being created; not those that could not be deleted."""
        return sum(lease.state is not LeaseState.NOT_DELETED for lease in list(self._leases))

    @contextmanager
    def lend(self, stopping: threading.Event, timeout: Optional[int] = None) -> Generator[Lease, None, None]:
        """Lend a session to a block. It lives long enough for an execution of ``timeout`` seconds.

        Raises ``RuntimeError`` once ``stopping`` is set, and what creating a session raises: also the error
        of the plan's limit, if a pool without sessions would wait for longer than ``max_wait``.
        """
        lease = self._check_out(stopping, timeout)
        cleanup = Cleanup()
        try:
            yield lease
        except BaseException as error:
            lease.record(error)
            cleanup = Cleanup(error)
            raise
        finally:
            self._check_in(lease, cleanup, reuse=self.reuse)

    def warm(self, count: int) -> int:
        """Create sessions until there are ``count`` or the service refuses one; return how many there are."""
        limits.check_open(self.closing)

        def create(_number: int) -> None:
            with self._changed:
                lease = self._reserve(count, self.closing)
            if lease is not None and self._create(lease) is None:
                self._check_in(lease, Cleanup(), reuse=True)

        run_concurrently(create, range(count - self.count), threaded=self.threaded)
        return self.count

    def begin(self, work: Stoppable) -> None:
        """Register work, which :meth:`close` then ends."""
        with self._changed:
            limits.check_open(self.closing)
            self._work.add(work)

    def forget(self, work: Stoppable) -> None:
        """Undo :meth:`begin` for work that has ended."""
        with self._changed:
            self._work.discard(work)

    def finish(self, work: Stoppable, error: Optional[BaseException] = None, *, here: bool = False) -> None:
        """End work after ``error``. If that is a Ctrl-C or the like, delete the idle sessions too."""
        if not self.owner.is_this_process() or sys.is_finalizing():
            return
        if not here and any(threading.current_thread() in each.threads for each in self._work.copy()):
            # A forgotten loop is garbage that any thread collects. One of a pool may hold a lock meanwhile,
            # and would wait for itself.
            thread = threading.Thread(target=partial(self.finish, work, error, here=True), daemon=False)
            work.threads.append(thread)
            thread.start()
            return
        cleanup = Cleanup(error)
        with_idle = error is not None and not isinstance(error, (Exception, GeneratorExit))

        def is_ended(lease: Lease) -> bool:
            is_leased = lease.state is LeaseState.LEASED and lease.stopping is work.stopping
            return is_leased or (lease.state is LeaseState.IDLE and with_idle)

        self._end([work], is_ended, cleanup)
        work.join(cleanup.remaining())
        self.forget(work)

    def close(self, error: Optional[BaseException] = None, *, at_exit: bool = False) -> None:
        """End all work and delete every session, after ``error``; then raise the first error of a deletion.

        May be repeated. At the exit of the program, a function that hangs is not waited for.
        """
        if not self.owner.is_this_process():
            return
        self.closing.set()
        # After a Ctrl-C no time is left to try again at the exit, also if a second one ends this.
        if isinstance(error, KeyboardInterrupt):
            self.at_exit.unregister()
        cleanup = Cleanup(error, CLEANUP_SECONDS if at_exit else math.inf)
        # ``closing`` is set, so none is added after this copy is made.
        with self._changed:
            everything = list(self._work)
        self._end(everything, lambda lease: lease.state in _DELETABLE, cleanup)
        for work in () if at_exit else everything:
            work.join(cleanup.remaining())
        this = threading.get_ident()
        with self._changed:
            # A session that is being created is deleted by the thread that creates it.
            while any(lease.state in _IN_PROGRESS and lease.thread != this for lease in self._leases):
                if not (remaining := cleanup.remaining()):
                    break
                self._changed.wait(min(limits.MAX_WAIT, remaining))
            errors = [lease.error for lease in self._leases if lease.error is not None]
        if not errors:
            self.at_exit.unregister()
        elif not at_exit:
            raise errors[0]

    def _end(self, everything: list[Stoppable], condition: Callable[[Lease], bool], cleanup: Cleanup) -> None:
        # In this order: no item begins, then the deletion ends the calls in progress, and so the threads.
        for work in everything:
            work.stop()
        with self._changed:
            leases = [lease for lease in self._leases if condition(lease)]
        if cleanup.remaining():
            run_concurrently(partial(self._delete, condition, cleanup), leases, threaded=self.threaded)

    def _check_out(self, stopping: threading.Event, timeout: Optional[int]) -> Lease:
        started = self._clock.now()
        while True:
            lease = self._next_lease(stopping)
            # CREATING is this thread's: no other moves the lease before its session exists or was refused.
            if lease.state is LeaseState.CREATING and (refusal := self._create(lease)) is not None:
                if not self.count and self._quota.next_try(0) - started > self.max_wait:
                    raise limits.waited_too_long(refusal, self._clock.now() - started, self.max_wait)
            elif lease.expires_before(timeout):
                self._check_in(lease, Cleanup(), reuse=False)
            else:
                return lease

    def _check_in(self, lease: Lease, cleanup: Cleanup, *, reuse: bool) -> None:
        """Take a lease back, to be reused if it can be, else deleted. In a forked child nothing happens."""
        if not self.owner.is_this_process():
            return
        # In another state than LEASED it is being deleted, which ends work in it, also a call that hangs.
        if not (reuse and lease.reusable):
            self._delete(lambda _: lease.state is LeaseState.LEASED, cleanup, lease)
            return
        with self._changed:
            if lease.state is LeaseState.LEASED:
                # Last in the list, so that it is the next to be reused.
                self._leases.remove(lease)
                self._leases.append(lease)
                self._move(lease, LeaseState.IDLE)

    def _next_lease(self, stopping: threading.Event) -> Lease:
        """Return an idle lease, or a new one in the state CREATING. Threads are served in their order."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while True:
                    limits.check_open(stopping)
                    # Only the first of the queue decides, and the others wait for it: none is overtaken.
                    if self._waiting[0] is not ticket:
                        self._changed.wait(limits.MAX_WAIT)
                    elif idle := [lease for lease in self._leases if lease.state is LeaseState.IDLE]:
                        idle[-1].check_out(stopping)
                        return idle[-1]
                    elif (lease := self._reserve(self.size, stopping)) is not None:
                        return lease
                    elif self._clock.is_real or self.count:
                        seconds = self._quota.next_try(self.count) - self._clock.now()
                        self._changed.wait(max(0.0, min(seconds, limits.MAX_WAIT)))
                    else:
                        # No session will be checked in, and this makes the transport's time pass.
                        self._clock.wait_until(self._quota.next_try(0), stopping)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _reserve(self, count: int, stopping: threading.Event) -> Optional[Lease]:
        """Return a lease in the state CREATING, if there are fewer than ``count``."""
        limits.check_open(stopping)
        if self.count >= count or not self._quota.has_capacity(self.count):
            return None
        self.at_exit.register()
        lease = Lease(self._gate, stopping)
        self._leases.append(lease)
        return lease

    def _create(self, lease: Lease) -> Optional[BuntimeError]:
        """Create the session of a lease; return the error of a service whose plan allows no more."""
        # Without the lock, as a request takes seconds in which other leases move.
        deleted_before = self._deleted
        try:
            sessions = Sessions(self.context.over(self.context.caller.evolve(hooks=lease)))
            lease.session = sessions.create(*self.options)
        except BaseException as error:
            with self._changed:
                self._move(lease, LeaseState.ENDED)
                if not isinstance(error, BuntimeError) or not is_session_limit(error):
                    raise
                # Those deleted since the request was sent may have been open when the service refused it.
                self._quota.on_refused(self.count + self._deleted - deleted_before, error.retry_after)
                return error
        with self._changed:
            if not lease.stopping.is_set():
                lease.check_out(lease.stopping)
                self._quota.on_created(self.count)
                self._changed.notify_all()
                return None
        # Still CREATING, so that close() waits until it is deleted.
        self._delete(lambda _: True, Cleanup(), lease)
        raise RuntimeError(limits.CLOSED)

    def _delete(self, condition: Callable[[Lease], bool], cleanup: Cleanup, lease: Lease) -> None:
        """Delete a session if ``condition`` holds; if that fails, :meth:`close` tries again."""
        with self._changed:
            # Of several threads that want to delete it, the one that gets here sends the request.
            if not condition(lease):
                return
            self._move(lease, LeaseState.DELETING)
        state, lease.error = LeaseState.NOT_DELETED, None
        try:
            context = self._deleting
            if (remaining := cleanup.remaining()) < math.inf:
                context = context.over(context.caller.for_cleanup(remaining))
            with suppress(SessionNotFoundError):
                if not lease.ended:
                    context.delete_session(lease.session.id)
            state = LeaseState.ENDED
        except Exception as error:
            lease.error = error
            logger().warning("session %s was not deleted: %s", lease.session.id, error)
        finally:
            with self._changed:
                self._deleted += state is LeaseState.ENDED
                self._move(lease, state)

    def _move(self, lease: Lease, state: LeaseState) -> None:
        lease.state, lease.thread = state, threading.get_ident()
        if state is LeaseState.ENDED:
            self._leases.remove(lease)
        self._changed.notify_all()
