"""The sessions of a pool in one process."""

from __future__ import annotations

import atexit
import math
import sys
import threading
from collections import deque
from functools import partial
from typing import Any, Callable, Optional

from buntime._http import SupportsOrder
from buntime._support.closing import CLEANUP_SECONDS, Cleanup
from buntime._support.log import logger
from buntime._support.owner import Owner
from buntime.client.context import Context
from buntime.client.session import Session
from buntime.client.sessions import Sessions
from buntime.engine.retries import RetryPolicy
from buntime.errors import BuntimeError, SessionNotFoundError
from buntime.pool.bounded_map import BoundedMap, run_concurrently
from buntime.pool.lease import Lease, LeaseState
from buntime.pool.limits import CLOSED, MAX_WAIT, RateLimitGate, SessionQuota, StoppableClock, waited_too_long
from buntime.wire.error_responses import is_session_limit

_DELETE_RETRIES = 2
"""At least, however few the client has."""

_IN_PROGRESS = (LeaseState.CREATING, LeaseState.DELETING)


class SessionRegistry:
    """Creates the pool's sessions on demand, leases each to one worker at a time, and deletes all of them.

    ``_changed`` guards the attributes after it and the state of each lease. ``_leases`` has all whose session
    has not ended, those used last at the end. Sessions left at the end of the program are deleted then.
    """

    def __init__(
        self, context: Context, create: Callable[[Sessions], Session], *, size: int, max_wait: float
    ) -> None:
        caller = context.caller
        transport = caller.transport
        self.owner: Owner = Owner()
        self.closing: threading.Event = threading.Event()
        self.threaded: bool = not (isinstance(transport, SupportsOrder) and transport.sequential)
        """Whether the transport allows concurrent calls, in any order."""
        self._context = context
        self._create_session = create
        self._size = size
        self._max_wait = max_wait
        self.cleanup: Cleanup = Cleanup()
        self._clock = StoppableClock(caller)
        self._gate = RateLimitGate(self._clock, caller.policy.retry_delay, max_wait)
        # Deletions do not wait at the gate: nothing may be left.
        policy = RetryPolicy(max(_DELETE_RETRIES, caller.policy.max_retries), caller.policy.retry_delay)
        self._deleting = context.over(caller.evolve(policy=policy))
        self._changed = threading.Condition()
        # Every session that the service may have is here: its lease is added before the request is sent, and
        # removed when the service confirmed the end. So close() misses none, whichever thread ends how.
        self._leases: list[Lease] = []
        self._waiting: deque[object] = deque()
        self._maps: set[BoundedMap[Any, Any]] = set()
        self._quota = SessionQuota(size, self._clock)
        self._deleted = 0
        self._registered = False

    @property
    def count(self) -> int:
        """How many sessions there are, including those being created; not those that could not be deleted."""
        return sum(lease.state is not LeaseState.NOT_DELETED for lease in list(self._leases))

    def check_open(self, stopping: Optional[threading.Event] = None) -> None:
        """Raise ``RuntimeError`` if the registry was closed or ``stopping`` is set."""
        if self.closing.is_set() or (stopping is not None and stopping.is_set()):
            raise RuntimeError(CLOSED)

    def check_out(self, stopping: threading.Event, timeout: Optional[int] = None) -> Lease:
        """Return a lease whose session lives long enough for an execution of ``timeout`` seconds.

        No other worker has it until :meth:`check_in`. Raises ``RuntimeError`` once ``stopping`` is set, and
        what creating a session raises: also the error of the plan's limit, if a pool without sessions would
        wait for longer than ``max_wait``.
        """
        started = self._clock.now()
        while True:
            lease = self._next_lease(stopping)
            # CREATING is this thread's: no other moves the lease before its session exists or was refused.
            refusal = self._create(lease) if lease.state is LeaseState.CREATING else None
            if refusal is not None:
                if not self.count and self._quota.next_try(0) - started > self._max_wait:
                    raise waited_too_long(refusal, self._clock.now() - started, self._max_wait)
                continue
            expires = lease.expires_before(timeout)
            if not expires and not stopping.is_set():
                return lease
            # Checked now that finish(), which sets it first, can see that the lease is out.
            self.check_in(lease, reuse=not expires)
            self.check_open(stopping)

    def check_in(self, lease: Lease, *, reuse: bool) -> None:
        """Take a lease back, to be reused if it can be, else deleted. In a forked child nothing happens."""
        if not self.owner.is_this_process():
            return
        with self._changed:
            # finish() and close() may have discarded the lease meanwhile: they delete sessions in which work
            # goes on, as that ends a call that hangs.
            if lease.state is LeaseState.LEASED:
                # Last in the list, so that it is the next to be reused.
                self._leases.remove(lease)
                self._leases.append(lease)
                self._move(lease, LeaseState.IDLE if reuse and lease.reusable else LeaseState.DISCARDED)
        self._delete(lease)

    def warm(self, count: int) -> int:
        """Create sessions until there are ``count`` or the service refuses one; return how many there are."""
        self.check_open()
        errors: list[Exception] = []

        def create(_number: int) -> None:
            try:
                with self._changed:
                    lease = self._reserve(count, self.closing)
                if lease is not None and self._create(lease) is None:
                    self.check_in(lease, reuse=True)
            except Exception as error:
                errors.append(error)

        run_concurrently(create, range(count - self.count), threaded=self.threaded)
        if errors:
            raise errors[0]
        return self.count

    def begin(self, work: BoundedMap[Any, Any]) -> None:
        """Register a map, which :meth:`close` then ends."""
        with self._changed:
            self.check_open()
            self._maps.add(work)

    def finish(
        self, work: BoundedMap[Any, Any], error: Optional[BaseException] = None, *, here: bool = False
    ) -> None:
        """End a map after ``error``: begin nothing more, delete the sessions it works in, join its threads.

        If that is a Ctrl-C or the like, the idle sessions are deleted too.
        """
        if not self.owner.is_this_process() or sys.is_finalizing():
            return
        this = threading.current_thread()
        if not here and any(this in each.threads for each in self._maps.copy()):
            # A forgotten loop is garbage that any thread collects. One of a pool may hold a lock meanwhile,
            # and would wait for itself.
            end = partial(self.finish, work, here=True)
            thread = threading.Thread(target=end, name="buntime-pool-end", daemon=False)
            work.threads.append(thread)
            thread.start()
            return
        self.cleanup.begin(error)
        # In this order: no item begins, the deletion ends the calls in progress, and so the threads end.
        work.stop()
        self._delete_all(lambda each: each.state is LeaseState.LEASED and each.stopping is work.stopping)
        work.join(self.cleanup.remaining())
        if error is not None and not isinstance(error, (Exception, GeneratorExit)):
            self._delete_all(lambda each: each.state is LeaseState.IDLE)
        with self._changed:
            self._maps.discard(work)

    def close(self, *, at_exit: bool = False) -> None:
        """End all work and delete every session; then raise the first error. May be repeated.

        At the exit of the program, a function that hangs is not waited for.
        """
        if not self.owner.is_this_process():
            return
        self.closing.set()
        if at_exit:
            self.cleanup.limit(CLEANUP_SECONDS)
        # ``closing`` is set, so no map and no lease is added after this copy is made.
        with self._changed:
            maps = list(self._maps)
        for work in maps:
            work.stop()
        self._delete_all(lambda each: each.state not in _IN_PROGRESS)
        this = threading.get_ident()
        with self._changed:
            # A session that is being created is deleted by the thread that creates it.
            while any(each.state in _IN_PROGRESS and each.thread != this for each in self._leases):
                if not (remaining := self.cleanup.remaining()):
                    break
                self._changed.wait(min(MAX_WAIT, remaining))
        if at_exit:
            return
        for work in maps:
            work.join(self.cleanup.remaining())
        for lease in list(self._leases):
            if lease.error is not None:
                raise lease.error
        atexit.unregister(self.close)

    def _next_lease(self, stopping: threading.Event) -> Lease:
        """Return an idle lease, or a new one in the state CREATING. Threads are served in their order."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                while True:
                    self.check_open(stopping)
                    idle = [lease for lease in self._leases if lease.state is LeaseState.IDLE]
                    # Only the first of the queue decides, and the others wait for it: none is overtaken.
                    if self._waiting[0] is not ticket:
                        self._changed.wait(MAX_WAIT)
                    elif idle:
                        idle[-1].check_out(stopping)
                        return idle[-1]
                    elif (lease := self._reserve(self._size, stopping)) is not None:
                        return lease
                    elif self._clock.is_real or self.count:
                        seconds = self._quota.next_try(self.count) - self._clock.now()
                        self._changed.wait(max(0.0, min(seconds, MAX_WAIT)))
                    else:
                        # No session will be checked in, and this makes the transport's time pass.
                        self._clock.wait_until(self._quota.next_try(0), stopping)
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _reserve(self, count: int, stopping: threading.Event) -> Optional[Lease]:
        """Return a lease in the state CREATING, if there are fewer than ``count``."""
        self.check_open(stopping)
        if self.count >= count or not self._quota.has_capacity(self.count):
            return None
        lease = Lease(self._clock, self._gate, stopping)
        self._leases.append(lease)
        return lease

    def _create(self, lease: Lease) -> Optional[BuntimeError]:
        """Create the session of a lease; return the error of a service whose plan allows no more."""
        # Without the lock, as a request takes seconds in which other leases move.
        deleted_before = self._deleted
        try:
            context = self._context.over(self._context.caller.evolve(hooks=lease))
            lease.session = self._create_session(Sessions(context))
        except BaseException as error:
            with self._changed:
                self._move(lease, LeaseState.ENDED)
                if not isinstance(error, BuntimeError) or not is_session_limit(error):
                    raise
                # Those deleted since the request was sent may have been open when the service refused it.
                self._quota.on_refused(self.count + self._deleted - deleted_before, error.retry_after)
                return error
        with self._changed:
            if not self._registered:
                self._registered = True
                atexit.register(self.close, at_exit=True)
            if not self.closing.is_set():
                lease.check_out(lease.stopping)
                self._quota.on_created(self.count)
                self._changed.notify_all()
                return None
        # Still CREATING, so that close() waits until it is deleted.
        self._delete(lease)
        raise RuntimeError(CLOSED)

    def _delete_all(self, condition: Callable[[Lease], bool]) -> None:
        if not self.cleanup.remaining():
            return
        with self._changed:
            leases = [lease for lease in self._leases if condition(lease)]
            for lease in leases:
                self._move(lease, LeaseState.DISCARDED)
        run_concurrently(self._delete, leases, threaded=self.threaded)

    def _delete(self, lease: Lease) -> None:
        """Delete a session that is DISCARDED or just created; if that fails, :meth:`close` tries again."""
        with self._changed:
            if lease.state not in (LeaseState.DISCARDED, LeaseState.CREATING):
                return
            # Of several threads that want to delete it, the one that gets here sends the request.
            self._move(lease, LeaseState.DELETING)
        state, lease.error = LeaseState.NOT_DELETED, None
        try:
            if not lease.ended:
                context = self._deleting
                if self.cleanup.remaining() < math.inf:
                    context = context.over(context.caller.for_cleanup(self.cleanup.remaining()))
                context.delete_session(lease.session.id)
            state = LeaseState.ENDED
        except SessionNotFoundError:
            logger().debug("session %s had ended before it was deleted", lease.session.id)
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
