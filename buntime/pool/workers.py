"""Calling functions, each with a session that it has for itself."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Callable, Optional, TypeVar

from buntime.client.session import Session
from buntime.models import ExecuteRequest
from buntime.pool.outcome import Outcome
from buntime.pool.registry import SessionRegistry

Value = TypeVar("Value")


class ItemRunner:
    """Runs the items of one map; each gets a session, and its outcome is a value or an error."""

    def __init__(self, registry: SessionRegistry, *, reuse: bool) -> None:
        self.stopping: threading.Event = threading.Event()
        """Set when no item may begin any more."""
        self._registry = registry
        self._reuse = reuse

    def run(
        self, function: Callable[[Session, Any], Any], item: Any, timeout: Optional[int] = None
    ) -> Outcome[Any, Any]:
        """Call ``function(session, item)``; the session outlives an execution of ``timeout`` seconds."""
        registry = self._registry
        if isinstance(item, ExecuteRequest):
            timeout = item.timeout
        while True:
            try:
                lease = registry.check_out(self.stopping, timeout)
            except Exception as error:
                # The end of the map is not the outcome of an item.
                if self.stopping.is_set() or registry.closing.is_set():
                    raise
                return Outcome(item, error=error)
            try:
                return Outcome(item, function(lease.session, item))
            except Exception as error:
                lease.record(error)
                # Only then can nothing have happened: the item gets another session.
                if not lease.session_was_gone(error):
                    return Outcome(item, error=error)
            finally:
                registry.check_in(lease, reuse=self._reuse)


class SessionExecutor(ThreadPoolExecutor):
    """Calls ``function(session, *args)`` in threads, each call with a session that it has for itself."""

    def __init__(self, borrow: Callable[[], AbstractContextManager[Session]], threads: int) -> None:
        super().__init__(threads, thread_name_prefix="buntime-executor")
        self._borrow = borrow

    def submit(self, fn: Callable[..., Value], /, *args: Any, **kwargs: Any) -> Future[Value]:
        """Schedule ``fn(session, *args, **kwargs)`` and return its future."""
        return super().submit(self._call, fn, *args, **kwargs)

    def _call(self, function: Callable[..., Value], /, *args: Any, **kwargs: Any) -> Value:
        with self._borrow() as session:
            return function(session, *args, **kwargs)
