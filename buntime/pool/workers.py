"""Threads that call functions, and the results of many items in order."""

from __future__ import annotations

import itertools
import math
import queue
import threading
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import suppress
from functools import partial
from typing import Any, Callable, Optional, TypeVar

from buntime._support.closing import Cleanup
from buntime._support.owner import Owner
from buntime.pool.limits import MAX_WAIT, check_open
from buntime.pool.outcome import Outcome, attempt

Item = TypeVar("Item")
Value = TypeVar("Value")
_Task = tuple[Future[Any], Callable[[], Any]]


class WorkerThread(threading.Thread):
    """A thread of :class:`Workers`."""


class Workers(Executor):
    """Calls functions in up to ``width`` daemon threads; with 0, in the thread that submits them.

    Not a ThreadPoolExecutor: Python waits for the threads of one at exit, even if a function hangs. Without a
    lock, as :meth:`stop` may be called while garbage is collected, which happens in any thread at any time.
    """

    def __init__(self, width: int, name: str) -> None:
        self.width: int = width
        self.threads: list[threading.Thread] = []
        self.stopping: threading.Event = threading.Event()
        """Set when nothing more may begin."""
        self._name = name
        self._numbers = itertools.count(1)
        self._tasks: queue.SimpleQueue[Optional[_Task]] = queue.SimpleQueue()

    def submit(self, fn: Callable[..., Value], /, *args: Any, **kwargs: Any) -> Future[Value]:
        """Schedule ``fn(*args, **kwargs)`` and return its future."""
        future: Future[Value] = Future()
        task = (future, partial(fn, *args, **kwargs))
        if (number := next(self._numbers)) <= self.width:
            target = partial(self._run, iter(self._tasks.get, None))
            thread = WorkerThread(target=target, name=f"{self._name}-{number}", daemon=True)
            self.threads.append(thread)
            try:
                thread.start()
            except RuntimeError:
                # The system allows no more threads, or the program is ending: those that run do the work.
                self.threads.remove(thread)
        if self.threads:
            self._tasks.put(task)
        else:
            self._run([task])
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads after the calls that were submitted, or cancel those that did not begin."""
        with suppress(queue.Empty):
            while cancel_futures:
                if (task := self._tasks.get_nowait()) is not None and task[0].cancel():
                    task[0].set_running_or_notify_cancel()  # for wait() and as_completed()
        for _ in range(self.width):
            self._tasks.put(None)
        if wait:
            self.join()

    def stop(self) -> None:
        """Begin nothing more. Calls in progress continue."""
        self.stopping.set()
        self.shutdown(wait=False, cancel_futures=True)

    def join(self, seconds: float = math.inf) -> None:
        """Wait for the threads, except the current one."""
        cleanup = Cleanup(seconds=seconds)
        for thread in set(self.threads) - {threading.current_thread()}:
            while thread.is_alive() and (remaining := cleanup.remaining()):
                thread.join(min(MAX_WAIT, remaining))

    def _run(self, tasks: Iterable[_Task]) -> None:
        for future, call in tasks:
            if future.set_running_or_notify_cancel():
                try:
                    value = call()
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(value)
                    del value
            # A thread that waits must not keep its last call alive.
            del future, call


class BoundedMap(Workers):
    """Calls a function with each item, and yields the outcomes in the order of the items or as they finish.

    ``items`` is read by the thread that iterates, at most ``2 * width`` ahead of what was yielded. Its
    exception follows the outcomes of the items before it; one of a call that is not an ``Exception`` ends the
    map.
    """

    def __init__(self, width: int, *, ordered: bool) -> None:
        super().__init__(width, "buntime-pool")
        self._ordered = ordered
        self._owner = Owner()
        self._arrivals = itertools.count()
        # By the number of the item, or of the arrival if they are yielded as they finish. Each item that was
        # read is in a task or here, so memory is bounded however slow the loop or the work is.
        self._ready: dict[int, Any] = {}
        self._fatal: list[BaseException] = []
        self._arrived = threading.Event()

    def outcomes(
        self, work: Callable[[Item], Value], items: Iterator[Item]
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Yield the outcome of ``work(item)`` for each item."""
        ready = self._ready
        read = yielded = 0
        ahead = max(1, 2 * self.width)
        while self._owner.is_this_process():
            # One item, so that an outcome that is ready is not held up by slow items.
            if read - yielded < ahead:
                try:
                    item = next(items)
                except Exception as error:
                    ready[read], ahead = error, 0
                else:
                    self.submit(attempt, item, work, item).add_done_callback(partial(self._finish, read))
                    read += 1
                    del item
            elif yielded not in ready:
                self._arrived.wait(MAX_WAIT)
                self._arrived.clear()
            if self._fatal:
                raise self._fatal.pop()
            check_open(self.stopping)
            if isinstance(ready.get(yielded), StopIteration):
                return
            if isinstance(ready.get(yielded), Exception):
                # Removed from this frame, which its traceback has.
                raise ready.pop(yielded)
            if yielded in ready:
                yielded += 1
                yield ready.pop(yielded - 1)
        raise RuntimeError("this call of a pool continues in the process that began it, not in a fork of it")

    def _finish(self, number: int, future: Future[Any]) -> None:
        """Store the outcome of a call, in its thread: none begins after an exception that ends the map."""
        if not future.cancelled():
            if (fatal := future.exception()) is not None:
                self._fatal.append(fatal)
                self.stopping.set()
            else:
                self._ready[number if self._ordered else next(self._arrivals)] = future.result()
        self._arrived.set()


def run_concurrently(act: Callable[[Item], object], items: Sequence[Item], *, threaded: bool) -> None:
    """Call ``act`` with each item, at the same time if ``threaded``; then raise the first error."""
    running = BoundedMap(len(items) if threaded and len(items) > 1 else 0, ordered=True)
    try:
        outcomes = list(running.outcomes(act, iter(items)))
    finally:
        running.stop()
    running.join()
    for outcome in outcomes:
        outcome.result()
