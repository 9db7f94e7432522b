"""One execution under way, and what its caller gets of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from buntime.service.errors import session_not_found
from buntime.service.executors import Execution, ExecutionLost, Outcome, Output
from buntime.service.failures import refusal_for
from buntime.service.responses import KEEP_ALIVE, event
from buntime.service.sessions.sessions import Session
from buntime.service.workspace.base import changed

KEEP_ALIVE_AFTER = 15.0
"""Seconds of silence after which a stream shows that it is alive."""

_TIMED_OUT = 124


class Run:
    """An execution of a session, started; :meth:`result` or :meth:`events` waits for it.

    ``read_timeout`` is how many seconds the caller waits for the result, or for the next event where
    the execution is streamed; where the executor is slower, ``TimeoutError`` passes through and the
    execution goes on. ``filesWritten`` compares the workspace before and after, so executions that
    overlap in one session see each other's files too; on disk that takes 145 ms for 20,000 files.
    """

    def __init__(self, session: Session, execution: Execution, read_timeout: float | None) -> None:
        self._session = session
        self._before = session.workspace.snapshot()
        self._deadline = None if read_timeout is None else session.clock.monotonic() + read_timeout
        self._keeps_alive = read_timeout is None or read_timeout >= KEEP_ALIVE_AFTER
        timeout = KEEP_ALIVE_AFTER if execution.stream and self._keeps_alive else read_timeout
        self.finish = session.started(execution.timeout)
        """What to call when nobody waits for it any more. Idempotent."""
        try:
            with self._gone_as_missing():
                self._items = session.runtime.run(execution, timeout=timeout)
        except BaseException:
            self.finish()
            raise

    def result(self) -> dict[str, Any]:
        """Return the body of an unstreamed answer."""
        try:
            with self._gone_as_missing():
                for item in self._items:
                    if isinstance(item, Outcome):
                        return self._result(item)
                    self._check_deadline()
            raise _no_outcome()
        finally:
            self.finish()

    def events(self) -> Iterator[bytes]:
        """Yield the events of a streamed answer as they happen; the last is the result or an error."""
        try:
            while True:
                text, last = self._next_event()
                yield text
                if last:
                    return
        finally:
            self.finish()

    def _next_event(self) -> tuple[bytes, bool]:
        try:
            with self._gone_as_missing():
                item = next(self._items, None)
        except TimeoutError:
            if not self._keeps_alive:
                raise
            return KEEP_ALIVE, False
        except Exception as error:
            return _failure(error), True
        if isinstance(item, Output):
            return event(item.kind, {"text": item.text}), False
        if item is None:
            return _failure(_no_outcome()), True
        return event("result", self._result(item)), True

    def _result(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "stdout": outcome.stdout,
            "stderr": outcome.stderr,
            "exitCode": _TIMED_OUT if outcome.timed_out else outcome.exit_code,
            "executionTime": round(outcome.execution_time),
            "memoryUsed": outcome.memory_used,
            "cpuTime": round(outcome.cpu_time),
            "timedOut": outcome.timed_out,
            "filesWritten": self._files_written(),
        }

    def _files_written(self) -> list[str]:
        if self._session.ended:
            return []
        return list(changed(self._before, self._session.workspace.snapshot()))

    def _check_deadline(self) -> None:
        if self._deadline is not None and self._session.clock.monotonic() >= self._deadline:
            raise TimeoutError("the execution takes longer than its caller waits")

    @contextmanager
    def _gone_as_missing(self) -> Iterator[None]:
        """Answer 404 where an executor fails because the session was ended under it."""
        try:
            yield
        except TimeoutError:
            raise
        except Exception as error:
            if self._session.ended:
                raise session_not_found(self._session.id) from error
            raise


def _failure(error: Exception) -> bytes:
    return event("error", refusal_for(error).envelope())


def _no_outcome() -> ExecutionLost:
    return ExecutionLost("it ended without an outcome")
