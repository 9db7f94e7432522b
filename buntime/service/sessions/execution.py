"""A running execution, and the response to its caller."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

from buntime.service.errors import as_service_error, session_lost, session_not_found
from buntime.service.executors import (
    HELPER_MARK,
    TIMED_OUT,
    Execution,
    ExecutionLost,
    ExecutionOutcome,
    Output,
)
from buntime.service.responses import KEEP_ALIVE, event
from buntime.service.sessions.sessions import LiveSession

_HELPER = re.compile(re.escape(HELPER_MARK) + r'(?:\{"op": ?"(\w+)")?')
_READING = re.compile("file_(pack|range|stat|walk)|process_(list|logs|wait)|http_wait|ping|port|read")
"""The operations of helpers that write no files."""

KEEP_ALIVE_AFTER = 15.0
"""Seconds of silence after which a stream sends a keep-alive comment."""


class RunningExecution:
    """An execution of a session, started; :meth:`result` or :meth:`events` waits for it.

    ``read_timeout`` is how many seconds the caller waits for the result, or for the next event of a stream.
    If the executor is slower, ``TimeoutError`` is raised and the execution goes on.

    ``filesWritten`` is left out for helpers of the client, which do not use it, except for programs of users
    that a helper gives standard input.
    """

    def __init__(self, session: LiveSession, execution: Execution, read_timeout: float | None) -> None:
        self._session = session
        self._complete = False
        if not session.workspace.exists():
            raise (session_not_found if session.ended else session_lost)(session.id)
        helper = _HELPER.match(execution.code or "")
        runs_program = helper is None or helper[1] == "run"
        self._comparison = session.files.begin() if runs_program else None
        self._deadline = None if read_timeout is None else session.clock.monotonic() + read_timeout
        self._keeps_alive = read_timeout is None or read_timeout >= KEEP_ALIVE_AFTER
        timeout = KEEP_ALIVE_AFTER if execution.stream and self._keeps_alive else read_timeout
        reads_only = helper is not None and _READING.fullmatch(helper[1] or "") is not None
        self.finish: Callable[[], None] = session.started(execution.timeout, reads_only=reads_only)
        """To be called when the caller stops waiting. Idempotent."""
        try:
            with self._ended_session_as_404():
                self._items = session.runtime.run(execution, timeout=timeout)
        except BaseException:
            self.finish()
            raise

    def result(self) -> dict[str, Any]:
        """Return the body of an unstreamed response."""
        try:
            with self._ended_session_as_404():
                for item in self._items:
                    if isinstance(item, ExecutionOutcome):
                        return self._result(item)
                    if self._deadline is not None and self._session.clock.monotonic() >= self._deadline:
                        raise TimeoutError("the execution takes longer than its caller waits")
            raise ExecutionLost("it ended without an outcome")
        finally:
            self.finish()

    def events(self) -> Iterator[bytes]:
        """Yield the events of a streamed response as they happen; the last is the result or an error."""
        try:
            while not self._complete:
                yield self._next_event()  # holds no event, which may be large
        finally:
            self.finish()

    def _next_event(self) -> bytes:
        try:
            with self._ended_session_as_404():
                item = next(self._items, None)
            if item is None:
                raise ExecutionLost("it ended without an outcome")
        except TimeoutError:
            # Silence: either the caller's own read timeout, or the interval of keep-alive comments.
            if not self._keeps_alive:
                raise
            return KEEP_ALIVE
        except Exception as error:
            self._complete = True
            return event("error", as_service_error(error).envelope())
        if isinstance(item, Output):
            return event(item.kind, {"text": item.text})
        self._complete = True
        return event("result", self._result(item))

    def _result(self, outcome: ExecutionOutcome) -> dict[str, Any]:
        self.finish()
        files: list[str] = []
        if self._comparison is not None and not self._session.ended:
            files = self._session.files.written(self._comparison, no_process_left=outcome.no_process_left)
        return {
            "stdout": outcome.stdout,
            "stderr": outcome.stderr,
            "exitCode": TIMED_OUT if outcome.timed_out else outcome.exit_code,
            "executionTime": round(outcome.execution_time),
            "memoryUsed": outcome.memory_used,
            "cpuTime": round(outcome.cpu_time),
            "timedOut": outcome.timed_out,
            "filesWritten": files,
        }

    @contextmanager
    def _ended_session_as_404(self) -> Iterator[None]:
        """Raise a 404 if an executor fails because the session was ended in the meantime."""
        try:
            yield
        except TimeoutError:
            raise
        except Exception as error:
            if self._session.ended:
                raise session_not_found(self._session.id) from error
            raise
