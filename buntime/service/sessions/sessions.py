"""The sessions that are alive."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import Any, Callable, Literal

from buntime._support.forks import reset_after_fork
from buntime.service.clock import Clock
from buntime.service.errors import ServiceError, session_not_found
from buntime.service.executors import Executor, Limits, Runtime
from buntime.service.sessions.limits import Plan
from buntime.service.workspace.base import Workspace
from buntime.service.workspace.quota import DiskUsage

State = Literal["active", "idle", "deep-sleep"]

IDLE_AFTER = 5 * 60.0
ASLEEP_AFTER = 30 * 60.0

logger = logging.getLogger("buntime.service")


class Session:
    """One session: its files, what runs in it, and how long ago it was used.

    Idle is a name only; deep sleep ends the processes. ``created`` is in epoch seconds, ``ttl`` in
    seconds; the session's life is measured on the clock's ``monotonic``.
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
        clock: Clock,
    ) -> None:
        self.id = session_id
        self.ttl = ttl
        self.metadata = metadata
        self.limits = limits
        self.workspace = workspace
        self.runtime = runtime
        self.disk = DiskUsage(workspace, limits.disk)
        self.created = self.last_active = clock.time()
        self.ended = False
        """Whether it was deleted or has expired: set before anything of it is taken away."""
        self.clock = clock
        self._lock = reset_after_fork(threading.Lock())
        self._used = clock.monotonic()
        self._expires = self._used + ttl
        self._runs: dict[object, float] = {}
        self._asleep = False

    @property
    def expired(self) -> bool:
        """Whether its time is over."""
        return self.clock.monotonic() >= self._expires

    @property
    def state(self) -> State:
        """``"active"``, ``"idle"`` after 5 minutes without a request, ``"deep-sleep"`` after 30."""
        unused = self._unused()
        if unused >= ASLEEP_AFTER:
            return "deep-sleep"
        return "idle" if unused >= IDLE_AFTER else "active"

    def touch(self) -> None:
        """Count a request: the session is active. Waits where it is just being put to sleep."""
        with self._lock:
            self._used = self.clock.monotonic()
            self.last_active = self.clock.time()
            self._asleep = False

    def started(self, timeout: float) -> Callable[[], None]:
        """Count as active for as long as an execution takes, ``timeout`` seconds at most.

        Returns what to call when it has ended; calling it again does nothing.
        """
        run = object()
        self._runs[run] = self.clock.monotonic() + timeout

        def ended() -> None:
            if self._runs.pop(run, None) is not None:
                self.disk.forget()
                self.touch()

        return ended

    def sleep_if_due(self) -> None:
        """End the processes of a session that nobody has used for 30 minutes."""
        with self._lock:
            if self._asleep or self.ended or self.state != "deep-sleep":
                return
            self._asleep = True
            try:
                self.runtime.end_processes()
            except Exception:
                logger.exception("The processes of session %s could not be ended", self.id)

    def end(self) -> None:
        """End the processes and remove the files. What cannot be removed is logged."""
        with self._lock:
            self.ended = True
        for release in (self.runtime.close, self.workspace.remove):
            try:
                release()
            except Exception:
                logger.exception("Session %s could not be cleaned up", self.id)

    def _unused(self) -> float:
        now = self.clock.monotonic()
        running = [end for end in list(self._runs.values()) if end > now]
        return 0.0 if running else now - self._used


class Sessions:
    """Opens, finds and ends sessions; never more at once than the plan allows."""

    def __init__(
        self,
        executor: Executor,
        workspaces: Callable[[str], Workspace],
        *,
        clock: Clock,
        plan: Plan,
        ids: Callable[[], str],
    ) -> None:
        self._executor = executor
        self._workspaces = workspaces
        self._clock = clock
        self._plan = plan
        self._ids = ids
        self._lock = reset_after_fork(threading.Lock())
        self._sessions: dict[str, Session] = {}
        self._opening = 0
        self._closed = False

    def open(self, *, ttl: int, metadata: Mapping[str, Any], limits: Limits) -> Session:
        """Return a new session.

        Refuses with 403 ``concurrent_session_limit``, and with 503 ``shutting_down`` once closed.
        """
        self._reserve()
        try:
            session = self._make(ttl, metadata, limits)
        except BaseException:
            self._settle(None)
            raise
        if self._settle(session):
            return session
        session.end()
        raise _shutting_down()

    def get(self, session_id: str) -> Session:
        """Return a session; 404 ``session_not_found`` where there is none, or none any more."""
        with self._lock:
            session = self._sessions.get(session_id)
        if session is None or session.expired:
            raise session_not_found(session_id)
        return session

    def end(self, session_id: str) -> None:
        """End a session for good; 404 ``session_not_found`` where there is none."""
        with self._lock:
            session = self._sessions.pop(session_id, None)
        if session is None:
            raise session_not_found(session_id)
        session.end()

    def live(self) -> dict[str, Session]:
        """Return the sessions that have not ended, by id, in the order they were opened."""
        with self._lock:
            return {name: session for name, session in self._sessions.items() if not session.expired}

    def sweep(self) -> None:
        """End the sessions that have expired, and put those to sleep that are due."""
        with self._lock:
            expired = [session for session in self._sessions.values() if session.expired]
            for session in expired:
                del self._sessions[session.id]
            remaining = list(self._sessions.values())
        for session in expired:
            session.end()
        for session in remaining:
            session.sleep_if_due()

    def close(self) -> None:
        """End all sessions and open no more. Idempotent."""
        with self._lock:
            self._closed = True
            sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            session.end()

    def _reserve(self) -> None:
        with self._lock:
            if self._closed:
                raise _shutting_down()
            count = len(self._sessions) + self._opening
            if self._plan.concurrent_sessions is not None and count >= self._plan.concurrent_sessions:
                raise self._plan.too_many_sessions(count)
            self._opening += 1

    def _settle(self, session: Session | None) -> bool:
        """Turn a reservation into its session; return whether the session may stay."""
        with self._lock:
            self._opening -= 1
            if session is None or self._closed:
                return False
            self._sessions[session.id] = session
            return True

    def _make(self, ttl: int, metadata: Mapping[str, Any], limits: Limits) -> Session:
        session_id = self._ids()
        workspace = self._workspaces(session_id)
        try:
            runtime = self._executor.open(session_id, workspace, limits, ttl)
        except BaseException:
            workspace.remove()
            raise
        return Session(
            session_id,
            ttl=ttl,
            metadata=metadata,
            limits=limits,
            workspace=workspace,
            runtime=runtime,
            clock=self._clock,
        )


def _shutting_down() -> ServiceError:
    return ServiceError(503, "shutting_down", "The service is shutting down and opens no more sessions")
