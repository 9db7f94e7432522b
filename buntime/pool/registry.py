"""The sessions of a pool in one process."""

from __future__ import annotations

import math
import sys
import threading
import weakref
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, Optional, TypeVar

import attrs

from buntime._http import SupportsOrder
from buntime._support.closing import CLEANUP_SECONDS, AtExit, Cleanup
from buntime._support.log import logger
from buntime._support.owner import Owner
from buntime.client.context import Context
from buntime.errors import BuntimeError
from buntime.models import ExecuteRequest
from buntime.pool import limits
from buntime.pool.lease import Lease, LeaseState
from buntime.pool.workers import Workers, WorkerThread, run_concurrently
from buntime.wire.error_responses import is_session_limit

Value = TypeVar("Value")
Condition = Callable[[Lease], bool]

_DELETE_RETRIES = 2  # at least, however few the client has


class SessionRegistry:
    """Creates the pool's sessions on demand, leases each to one worker at a time, and deletes all of them.

    ``_changed`` guards the attributes after it and the state of each lease. Sessions left at the end of the
    program are deleted then.
    """

    def __init__(
        self, context: Context, options: tuple[Any, ...], *, size: int, reuse: bool, max_wait: float
    ) -> None:
        caller = context.caller
        transport, policy = caller.transport, caller.policy
        # Deletions do not wait at the gate: nothing may be left.
        deleting = attrs.evolve(policy, max_retries=max(_DELETE_RETRIES, policy.max_retries))
        is_sequential = isinstance(transport, SupportsOrder) and transport.sequential
        self.width: int = 0 if is_sequential else size
        """How many threads call functions; 0 if the transport requires an order of the calls."""
        self.max_wait: float = max_wait
        self.owner: Owner = Owner()
        self.closing: threading.Event = threading.Event()
        self.at_exit: AtExit = AtExit(partial(self.close, at_exit=True))
        """Registered with the first session: an unused pool is garbage."""
        self._reuse = reuse
        self._context, self._options = context, options
        self._deleting = context.over(caller.evolve(policy=deleting))
        self._clock = limits.StoppableClock(caller)
        self._gate = limits.RateLimitGate(self._clock, policy.retry_delay, max_wait)
        self._changed = threading.Condition()
        # Every session that the service may have is here: its lease is added before the request is sent, and
        # removed when the service confirmed the end. So close() misses none.
        self._leases: list[Lease] = []
        self._waiting: deque[object] = deque()
        self._work: weakref.WeakSet[Workers] = weakref.WeakSet()
        self._quota = limits.SessionQuota(size, self._clock)
        self._deleted = 0

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
        try:
            # A session that was created meanwhile is deleted.
            limits.check_open(stopping)
            yield lease
        except BaseException as error:
            lease.record(error)
            self._check_in(lease, Cleanup(error), reuse=self._reuse)
            raise
        self._check_in(lease, Cleanup(), reuse=self._reuse)

    def run(
        self, stopping: threading.Event, function: Callable[..., Value], /, *args: Any, **kwargs: Any
    ) -> Value:
        """Return ``function(session, *args, **kwargs)``.

        The session lives long enough for an :class:`~buntime.ExecuteRequest` among the arguments.
        """
        timeout = next((each.timeout for each in args if isinstance(each, ExecuteRequest)), None)
        while True:
            with self.lend(stopping, timeout) as lease:
                try:
                    return function(lease.session, *args, **kwargs)
                except Exception as error:
                    # Only then can nothing have happened: the function gets another session.
                    if not lease.session_was_gone(error):
                        raise

    def warm(self, count: int) -> int:
        """Create sessions until there are ``count`` or the service refuses one; return how many there are."""

        def create(_number: int) -> None:
            with self._changed:
                lease = self._reserve(self.closing) if self.count < count else None
            if lease is not None and self._create(lease) is None:
                self._check_in(lease, Cleanup(), reuse=True)

        run_concurrently(create, range(count - self.count), threaded=self.width > 0)
        limits.check_open(self.closing)
        return self.count

    def begin(self, work: Workers) -> None:
        """Register work, which :meth:`close` then ends."""
        with self._changed:
            limits.check_open(self.closing)
            self._work.add(work)

    def finish(self, work: Workers, error: Optional[BaseException] = None) -> None:
        """End work after ``error``. If that is a Ctrl-C or the like, delete the idle sessions too."""
        if not self.owner.is_this_process() or sys.is_finalizing():
            return
        if isinstance(threading.current_thread(), WorkerThread):
            # A forgotten loop is garbage that any thread collects. One of a pool may hold a lock meanwhile,
            # and would wait for itself.
            work.threads.append(threading.Thread(target=self.finish, args=(work, error), daemon=False))
            work.threads[-1].start()
            return
        with_idle = error is not None and not isinstance(error, (Exception, GeneratorExit))

        def is_over(lease: Lease) -> bool:
            is_leased = lease.state is LeaseState.LEASED and lease.stopping.is_set()
            return is_leased or (lease.state is LeaseState.IDLE and with_idle)

        self._end([work], is_over, Cleanup(error))

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
            work = list(self._work)
        self._end(work, lambda lease: lease.state is not LeaseState.CHANGING, cleanup, join=not at_exit)
        this = threading.get_ident()

        def is_open(lease: Lease) -> bool:
            # The thread that creates or deletes the session deletes it.
            return lease.state is not LeaseState.NOT_DELETED and lease.thread != this

        with self._changed:
            while any(map(is_open, self._leases)) and (remaining := cleanup.remaining()):
                self._changed.wait(min(limits.MAX_WAIT, remaining))
            errors = [lease.error for lease in self._leases if lease.error is not None]
        if not errors:
            self.at_exit.unregister()
        elif not at_exit:
            raise errors[0]

    def _end(self, work: list[Workers], over: Condition, cleanup: Cleanup, *, join: bool = True) -> None:
        # In this order: no item begins, then the deletion ends the calls in progress, and so the threads.
        for each in work:
            each.stop()
        with self._changed:
            leases = list(filter(over, self._leases))
        if cleanup.remaining():
            run_concurrently(partial(self._delete, over, cleanup), leases, threaded=self.width > 0)
        for each in work if join else ():
            each.join(cleanup.remaining())

    def _check_out(self, stopping: threading.Event, timeout: Optional[int]) -> Lease:
        started = self._clock.now()
        while True:
            lease = self._next_lease(stopping)
            # CHANGING is this thread's: no other moves the lease before its session exists or was refused.
            if lease.state is LeaseState.CHANGING and (refusal := self._create(lease)) is not None:
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
        with self._changed:
            if reuse and lease.reusable and lease.state is LeaseState.LEASED:
                self._move(lease, LeaseState.IDLE)
                return
        self._delete(lambda _: lease.state is LeaseState.LEASED, cleanup, lease)

    def _next_lease(self, stopping: threading.Event) -> Lease:
        """Return an idle lease, or a new one in the state CHANGING. Threads are served in their order."""
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
                    elif (lease := self._reserve(stopping)) is not None:
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

    def _reserve(self, stopping: threading.Event) -> Optional[Lease]:
        """Return a lease in the state CHANGING, if one more session may be created."""
        limits.check_open(stopping)
        if not self._quota.has_capacity(self.count):
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
            lease.create(self._context, self._options)
        except BaseException as error:
            with self._changed:
                self._move(lease, None)
                if not isinstance(error, BuntimeError) or not is_session_limit(error):
                    raise
                # Those deleted since the request was sent may have been open when the service refused it.
                self._quota.on_refused(self.count + self._deleted - deleted_before, error.retry_after)
                return error
        with self._changed:
            self._move(lease, LeaseState.LEASED)
            self._quota.on_created(self.count)
        return None

    def _delete(self, condition: Condition, cleanup: Cleanup, lease: Lease) -> None:
        """Delete a session if ``condition`` holds; if that fails, :meth:`close` tries again."""
        with self._changed:
            # Of several threads that want to delete it, the one that gets here sends the request.
            if not condition(lease):
                return
            lease.state, lease.thread, lease.error = LeaseState.CHANGING, threading.get_ident(), None
        state: Optional[LeaseState] = LeaseState.NOT_DELETED
        try:
            lease.delete(self._deleting, cleanup.remaining())
            state = None
        except Exception as error:
            lease.error = error
            logger().warning("session %s was not deleted: %s", lease.session.id, error)
        finally:
            with self._changed:
                self._deleted += state is None
                self._move(lease, state)

    def _move(self, lease: Lease, state: Optional[LeaseState]) -> None:
        """Change the state of a lease; without one, forget it."""
        if state is None:
            self._leases.remove(lease)
        else:
            lease.state = state
        self._changed.notify_all()
