"""Calling a function with many items in threads."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, Callable, Generic, Optional, TypeVar

from buntime._support.owner import Owner
from buntime.pool.limits import CLOSED, MAX_WAIT

Item = TypeVar("Item")
Result = TypeVar("Result")


class BoundedMap(Generic[Item, Result]):
    """Calls ``work`` with each item, and yields the results in the order of the items or as they finish.

    ``items`` is read by the thread that iterates :meth:`results`, at most ``2 * threads`` ahead of what was
    yielded. With 0 threads that thread does the work too. An exception of ``work`` ends the map.

    Items and results pass through two queues, and all else belongs to the iterating thread, so there is no
    lock: :meth:`stop` may be called while garbage is collected, which happens in any thread at any time.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterator[Item],
        *,
        threads: int,
        ordered: bool,
        stopping: Optional[threading.Event] = None,
    ) -> None:
        self.stopping: threading.Event = stopping or threading.Event()
        """Set when nothing more may begin."""
        self.threads: list[threading.Thread] = []
        self._owner = Owner()
        self._work = work
        self._items = items
        self._width = threads
        self._ordered = ordered
        self._todo: queue.SimpleQueue[Optional[tuple[int, Item]]] = queue.SimpleQueue()
        self._finished: queue.SimpleQueue[tuple[int, Any, Optional[BaseException]]] = queue.SimpleQueue()
        self._received = 0
        self._ready: dict[int, Result] = {}
        """By the number of the item, or of the arrival if they are yielded as they finish."""

    def results(self) -> Iterator[Result]:
        """Yield the results. An exception of ``items`` is raised after those of the items before it."""
        read = yielded = 0
        end: Optional[Exception] = None
        # Each item is in one place: with a thread, in ``_todo``, in ``_finished`` or in ``_ready``. All of
        # them together are at most ``read - yielded``, so memory is bounded however slow the loop or the work
        # is.
        while True:
            if not self._owner.is_this_process():
                raise RuntimeError(
                    "this call of a pool continues in the process that began it, not in a fork of it"
                )
            while end is None and read - yielded < max(1, 2 * self._width):
                try:
                    item = next(self._items)
                except Exception as error:
                    end = error
                    break
                self._receive(block=False)
                self._start(read, item)
                read += 1
                del item
                # A result that is ready is not held up by slow items.
                if yielded in self._ready:
                    break
            if yielded == read:
                break
            self._receive(block=False)
            # The next result is with a thread, which either puts it into the queue or ends with its
            # exception.
            while yielded not in self._ready:
                self._receive(block=True)
            if self.stopping.is_set():
                raise RuntimeError(CLOSED)
            yielded += 1
            yield self._ready.pop(yielded - 1)
        try:
            if end is not None and not isinstance(end, StopIteration):
                raise end
        finally:
            # Its traceback has this frame, which must not have it.
            del end

    def stop(self) -> None:
        """Begin nothing more, and have :meth:`results` raise. Work in progress continues."""
        self.stopping.set()
        # One ``None`` for each thread that waits for a task, and one end for the iterating thread.
        for _ in self.threads:
            self._todo.put(None)
        self._finished.put((-1, None, RuntimeError(CLOSED)))

    def join(self, seconds: float = math.inf) -> None:
        """Wait for the threads, except the current one. After :meth:`stop`."""
        end = time.monotonic() + seconds
        for thread in list(self.threads):
            while thread is not threading.current_thread() and thread.is_alive():
                if (remaining := end - time.monotonic()) <= 0:
                    return
                thread.join(min(MAX_WAIT, remaining))

    def _start(self, number: int, item: Item) -> None:
        # A thread for each item in progress is enough: more are started only while all are busy.
        if len(self.threads) < min(self._width, number + 1 - self._received):
            # Not a ThreadPoolExecutor: Python waits for its threads at exit, even if a function hangs.
            name = f"buntime-pool-{len(self.threads) + 1}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            self.threads.append(thread)
            try:
                thread.start()
            except RuntimeError:
                # The system allows no more threads, or the program is ending: those that run do the work.
                self.threads.remove(thread)
        if self.threads:
            self._todo.put((number, item))
        else:
            self._finished.put((number, self._work(item), None))

    def _receive(self, *, block: bool) -> None:
        """Take the results that are there, or wait for one; raise the exception that ends the map."""
        with suppress(queue.Empty):
            while True:
                number, result, error = self._finished.get(block, MAX_WAIT)
                if error is not None:
                    try:
                        raise error
                    finally:
                        del error
                self._ready[number if self._ordered else self._received] = result
                self._received += 1
                block = False

    def _run(self) -> None:
        while not self.stopping.is_set():
            task = self._todo.get()
            if task is None or self.stopping.is_set():
                return
            try:
                self._finished.put((task[0], self._work(task[1]), None))
            except BaseException as error:
                self._finished.put((task[0], None, error))
                return
            # A thread that waits must not keep its last item alive.
            del task


def run_concurrently(act: Callable[[Item], object], items: Iterable[Item], *, threaded: bool) -> None:
    """Call ``act`` with each item: all at the same time, unless not ``threaded``."""
    items = list(items)
    work = BoundedMap(
        act, iter(items), threads=len(items) if threaded and len(items) > 1 else 0, ordered=False
    )
    try:
        for _ in work.results():
            pass
    finally:
        work.stop()
    work.join()
