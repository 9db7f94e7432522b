"""A pool as an executor of ``concurrent.futures``."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import Future
from typing import Any, Callable, Optional, TypeVar

from buntime import _validate
from buntime._support.closing import AtExit, ClosesWithBlock
from buntime._support.forks import reset_after_fork
from buntime.pool.limits import check_open
from buntime.pool.registry import SessionRegistry
from buntime.pool.workers import Workers

Value = TypeVar("Value")


class SessionExecutor(ClosesWithBlock, Workers):
    """Calls ``function(session, *args)`` in threads, each call with a session that it has for itself.

    A Ctrl-C that leaves its block, and the end of the pool, delete the sessions of its calls, which ends
    them.
    """

    def __init__(self, registry: SessionRegistry) -> None:
        super().__init__(registry.width or 1, "buntime-executor")
        self._registry = registry
        # Guards the attribute after it: after the shutdown no call is submitted.
        self._lock = reset_after_fork(threading.RLock())
        self._is_shut_down = False
        self._at_exit = AtExit(self._wait_at_exit)
        registry.begin(self)

    def submit(self, fn: Callable[..., Value], /, *args: Any, **kwargs: Any) -> Future[Value]:
        """Schedule ``fn(session, *args, **kwargs)`` and return its future."""
        _validate.function("fn", fn, "a session")
        with self._lock:
            check_open(self._registry.closing)
            if self._is_shut_down or not self._registry.owner.is_this_process():
                raise RuntimeError("an executor accepts no calls after shutdown, or in a forked process")
            # In this order, so that the calls are waited for before the pool ends them.
            self._registry.at_exit.register()
            self._at_exit.register()
            return super().submit(self._registry.run, self.stopping, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls. Wait for those that were submitted, or cancel those that did not begin."""
        with self._lock:
            self._is_shut_down = True
        super().shutdown(wait, cancel_futures=cancel_futures)
        self._at_exit.unregister()

    def _leave_block(self, error: Optional[BaseException]) -> None:
        try:
            if error is None or isinstance(error, Exception):
                self.shutdown()
            else:
                self._registry.finish(self, error)
        except KeyboardInterrupt as interrupt:
            self._registry.finish(self, interrupt)
            raise

    def _wait_at_exit(self) -> None:
        # As every executor; but if a Ctrl-C ends the program, the pool ends the calls.
        if not issubclass(getattr(sys, "last_type", None) or Exception, KeyboardInterrupt):
            self.shutdown()
