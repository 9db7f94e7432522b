"""A pool as an executor of ``concurrent.futures``."""

from __future__ import annotations

import math
import queue
import sys
import threading
from concurrent.futures import Executor, Future
from contextlib import suppress
from typing import Any, Callable, Optional, TypeVar

from buntime._support.closing import AtExit, ClosesWithBlock
from buntime._support.forks import reset_after_fork
from buntime.client.session import Session
from buntime.pool.bounded_map import join_threads
from buntime.pool.limits import check_open
from buntime.pool.registry import SessionRegistry

Value = TypeVar("Value")


class SessionExecutor(ClosesWithBlock, Executor):
    """Calls ``function(session, *args)`` in threads, each call with a session that it has for itself.

    To the registry it is like a map: a Ctrl-C that leaves its block, and the end of the pool, delete the
    sessions of its calls, which ends them. Not a ThreadPoolExecutor: Python waits for the threads of one at
    exit, even if a function hangs.
    """

    def __init__(self, registry: SessionRegistry, threads: int) -> None:
        self.threads: list[threading.Thread] = []
        self.stopping: threading.Event = threading.Event()
        """Set when no call may begin any more."""
        self._registry = registry
        self._width = threads
        self._todo: queue.SimpleQueue[Optional[tuple[Future[Any], Callable[[Session], Any]]]] = (
            queue.SimpleQueue()
        )
        # Guards the attribute after it: after the shutdown no call is added to the queue.
        self._lock = reset_after_fork(threading.Lock())
        self._is_shut_down = False
        self._at_exit = AtExit(self._wait_at_exit)
        check_open(registry.closing)

    def submit(self, fn: Callable[..., Value], /, *args: Any, **kwargs: Any) -> Future[Value]:
        """Schedule ``fn(session, *args, **kwargs)`` and return its future."""
        if not callable(fn):
            raise TypeError(f"fn must be callable with a session, not {type(fn).__name__}")
        future: Future[Value] = Future()
        with self._lock:
            check_open(self._registry.closing)
            if self._is_shut_down or not self._registry.owner.is_this_process():
                raise RuntimeError("an executor accepts no calls after shutdown, or in a forked process")
            if not self.threads:
                # In this order, so that the calls are waited for before the pool ends them.
                self._registry.at_exit.register()
                self._at_exit.register()
                self._registry.begin(self)
            self._todo.put((future, lambda session: fn(session, *args, **kwargs)))
            if len(self.threads) < self._width:
                name = f"buntime-executor-{len(self.threads) + 1}"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                thread.start()
                self.threads.append(thread)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Accept no more calls. Wait for those that were submitted, or cancel those that did not begin."""
        with self._lock:
            self._is_shut_down = True
            with suppress(queue.Empty):
                while cancel_futures:
                    if (task := self._todo.get_nowait()) is not None:
                        task[0].cancel()
            for _ in self.threads:
                self._todo.put(None)
        if wait:
            self.join()
            self._registry.forget(self)
        self._at_exit.unregister()

    def stop(self) -> None:
        """Begin nothing more. Calls in progress continue until their sessions are deleted."""
        self.stopping.set()
        self.shutdown(wait=False, cancel_futures=True)

    def join(self, seconds: float = math.inf) -> None:
        """Wait for the threads, except the current one."""
        join_threads(self.threads, seconds)

    def _leave_block(self, error: Optional[BaseException]) -> None:
        try:
            if error is None or isinstance(error, Exception):
                self.shutdown()
            else:
                self._registry.finish(self, error)
        except KeyboardInterrupt as interrupt:
            self._registry.finish(self, interrupt)
            raise

    def _run(self) -> None:
        while (task := self._todo.get()) is not None:
            future, call = task
            if future.set_running_or_notify_cancel():
                try:
                    with self._registry.lend(self.stopping) as lease:
                        value = call(lease.session)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(value)
                    del value
            # A thread that waits must not keep its last call alive.
            del task, future, call

    def _wait_at_exit(self) -> None:
        # As every executor; but if a Ctrl-C ends the program, the pool ends the calls.
        if not issubclass(getattr(sys, "last_type", None) or Exception, KeyboardInterrupt):
            self.shutdown()
