"""The sessions that are alive, and when they fall asleep and expire."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Literal

from buntime._support.forks import reset_after_fork
from buntime.service.clock import ServiceClock
from buntime.service.errors import ServiceError, session_not_found
from buntime.service.executors import Executor, Limits, Runtime
from buntime.service.sessions.limits import Plan
from buntime.service.workspace.base import Workspace
from buntime.service.workspace.history import FileHistory
from buntime.service.workspace.quota import DiskQuota

State = Literal["active", "idle", "deep-sleep"]

IDLE_AFTER = 5 * 60.0
ASLEEP_AFTER = 30 * 60.0

_ENDED_PER_REQUEST = 2
"""How many expired sessions one request cleans up, at most: more would make it slow."""

logger: logging.Logger = logging.getLogger("buntime.service")


class LiveSession:
    """One session: its files, what runs in it, and when it was last used.

    "idle" is only reported; "deep-sleep" ends the processes. ``created`` is in epoch seconds, ``ttl`` in
    seconds; lifetimes are measured on the clock's ``monotonic``.
    """

    def __init__(
        self,
        session_id: str,
        *,
        ttl: int,
        metadata: Mapping[str, Any],
        limits: Limits,
        workspace: Workspace,
        runtime: Runtime,
        clock: ServiceClock,
    ) -> None:
        self.id = session_id
        self.ttl = ttl
        self.metadata = metadata
        self.limits = limits
        self.workspace = workspace
        self.runtime = runtime
        self.files: FileHistory = FileHistory(workspace)
        self.disk: DiskQuota = DiskQuota(workspace, limits.disk)
        self.created: float = clock.time()
        self.last_active: float = self.created
        self.ended: bool = False
        """Whether it was deleted or has expired: set before its processes and files are removed."""
        self.clock = clock
        self._lock = reset_after_fork(threading.Lock())
        self._last_use = clock.monotonic()
        self._expires = self._last_use + ttl
        self._running_until: dict[object, float] = {}
        self._asleep = False

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.clock.monotonic() >= self._expires

    @property
    def state(self) -> State:
        """``"active"``, ``"idle"`` after 5 minutes without a request, ``"deep-sleep"`` after 30."""
        now = self.clock.monotonic()
        if any(end > now for end in list(self._running_until.values())):
            return "active"
        unused = now - self._last_use
        if unused >= ASLEEP_AFTER:
            return "deep-sleep"
        return "idle" if unused >= IDLE_AFTER else "active"

    def touch(self) -> None:
        """Count a request: the session is active. Waits if it is being put to sleep."""
        with self._lock:
            self._last_use = self.clock.monotonic()
            self.last_active = self.clock.time()
            self._asleep = False

    def write(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write all of the files, or none; see :meth:`DiskQuota.write`."""
        try:
            self.disk.write(files)
        except BaseException:
            self.files.changed()
            raise
        self.files.wrote(path for path, _ in files)

    def started(self, timeout: float, *, reads_only: bool) -> Callable[[], None]:
        """Count as active while an execution runs, for at most ``timeout`` seconds.

        Returns a function to call when it has ended; calling it again does nothing.
        """
        execution = object()
        self._running_until[execution] = self.clock.monotonic() + timeout

        def ended() -> None:
            if self._running_until.pop(execution, None) is not None:
                if not reads_only:
                    self.disk.forget()
                    self.files.changed()
                self.touch()

        return ended

    def sleep_if_due(self) -> None:
        """End the processes of a session that was not used for 30 minutes."""
        # A request that holds the lock first makes the session active; one that comes later waits in touch()
        # until the processes have ended, so that it cannot start one that is then killed.
        with self._lock:
            if self._asleep or self.ended or self.state != "deep-sleep":
                return
            self._asleep = True
            try:
                self.runtime.end_processes()
            except Exception:
                logger.exception("The processes of session %s could not be ended", self.id)

    def next_check(self) -> float:
        """Return when the session next expires or may fall asleep, on the monotonic clock.

        One that sleeps and is then used cannot sleep again for 30 minutes, so it is checked after 30 minutes.
        """
        now = self.clock.monotonic()
        unused_since = max([self._last_use, *list(self._running_until.values())])
        due = unused_since + ASLEEP_AFTER
        return min(self._expires, due if due > now else now + ASLEEP_AFTER)

    def end(self) -> None:
        """End the processes and remove the files. Failures are logged."""
        with self._lock:
            self.ended = True
        for release in (self.runtime.close, self.workspace.remove):
            try:
                release()
            except Exception:
                logger.exception("Session %s could not be cleaned up", self.id)


class SessionTable:
    """Opens, finds and ends sessions; never more than the plan allows.

    ``sweep`` runs at each request, so it must not look at every session. A heap holds the time of each
    session's next check: a session is looked at when it expires, and otherwise about once in 30 minutes.
    """

    def __init__(
        self,
        executor: Executor,
        workspaces: Callable[[str], Workspace],
        *,
        clock: ServiceClock,
        plan: Plan,
        ids: Callable[[], str],
    ) -> None:
        self._executor = executor
        self._workspaces = workspaces
        self._clock = clock
        self._plan = plan
        self._ids = ids
        self._lock = reset_after_fork(threading.Lock())
        self._sessions: dict[str, LiveSession] = {}
        # By id, so that a deleted session and its files do not stay in memory until they are due.
        self._checks: list[tuple[float, int, str]] = []
        self._numbers = itertools.count()
        self._expired: deque[LiveSession] = deque()
        self._opening = 0
        self._closed = False

    def open(self, *, ttl: int, metadata: Mapping[str, Any], limits: Limits) -> LiveSession:
        """Return a new session.

        Raises a 403 ``concurrent_session_limit``, and a 503 ``shutting_down`` after ``close``.
        """
        # The session counts from here, but it is made without the lock: concurrent creates cannot exceed the
        # limit, and a slow one does not delay other requests.
        with self._lock:
            self._check_open()
            count = len(self._sessions) + self._opening
            if self._plan.concurrent_sessions is not None and count >= self._plan.concurrent_sessions:
                raise self._plan.too_many_sessions(count)
            self._opening += 1
        try:
            session = self._make(ttl, metadata, limits)
        except BaseException:
            with self._lock:
                self._opening -= 1
            raise
        with self._lock:
            self._opening -= 1
            if not self._closed:
                self._sessions[session.id] = session
                self._schedule(session)
                return session
        session.end()
        raise _shutting_down()

    def get(self, session_id: str) -> LiveSession:
        """Return a session; a 404 ``session_not_found`` if it does not exist or has expired."""
        with self._lock:
            session = self._sessions.get(session_id)
        if session is None or session.expired:
            raise session_not_found(session_id)
        return session

    def end(self, session_id: str) -> None:
        """End a session; a 404 ``session_not_found`` if it does not exist."""
        with self._lock:
            session = self._sessions.pop(session_id, None)
        if session is None:
            raise session_not_found(session_id)
        session.end()

    def live(self) -> dict[str, LiveSession]:
        """Return the sessions that have not ended, by id, in the order they were opened."""
        with self._lock:
            return {name: session for name, session in self._sessions.items() if not session.expired}

    def sweep(self) -> None:
        """Put sessions to sleep that are due, and clean up some of those that have expired."""
        now = self._clock.monotonic()
        due: list[LiveSession] = []
        with self._lock:
            while self._checks and self._checks[0][0] <= now:
                session = self._sessions.get(heapq.heappop(self._checks)[2])
                if session is None:
                    continue  # deleted since
                if session.expired:
                    del self._sessions[session.id]
                    self._expired.append(session)
                else:
                    due.append(session)
            ending = [self._expired.popleft() for _ in range(min(_ENDED_PER_REQUEST, len(self._expired)))]
        for session in ending:
            session.end()
        for session in due:
            session.sleep_if_due()
            with self._lock:
                self._schedule(session)

    def close(self) -> None:
        """End all sessions and open no more. Idempotent."""
        with self._lock:
            self._closed = True
            self._expired.extend(self._sessions.values())
            self._sessions = {}
            self._checks.clear()
            sessions = list(self._expired)
        for session in sessions:
            session.end()
        # Not before: after a Ctrl-C meanwhile, this is called again.
        self._expired.clear()

    def _check_open(self) -> None:
        if self._closed:
            raise _shutting_down()

    def _schedule(self, session: LiveSession) -> None:
        # The number keeps the order between equal times.
        heapq.heappush(self._checks, (session.next_check(), next(self._numbers), session.id))

    def _make(self, ttl: int, metadata: Mapping[str, Any], limits: Limits) -> LiveSession:
        session_id = self._ids()
        workspace = self._workspaces(session_id)
        try:
            runtime = self._executor.open(session_id, workspace, limits, ttl)
        except BaseException:
            workspace.remove()
            raise
        return LiveSession(
            session_id,
            ttl=ttl,
            metadata=metadata,
            limits=limits,
            workspace=workspace,
            runtime=runtime,
            clock=self._clock,
        )


def _shutting_down() -> ServiceError:
    return ServiceError("shutting_down", "The service is shutting down and opens no more sessions")
