"""Calling a function with many items in threads."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Callable, Generic, Optional, Protocol, TypeVar

from buntime._support.owner import Owner
from buntime.pool.limits import CLOSED, MAX_WAIT

Item = TypeVar("Item")
Result = TypeVar("Result")


class Stoppable(Protocol):
    """A map or an executor, which a pool ends when it is closed, or after a Ctrl-C."""

    stopping: threading.Event
    threads: list[threading.Thread]

    def stop(self) -> None:
        """Begin nothing more. Work in progress continues."""

    def join(self, seconds: float = math.inf) -> None:
        """Wait for the threads, except the current one. After :meth:`stop`."""


class BoundedMap(Generic[Item, Result]):
    """Calls a function with each item, and yields the results in the order of the items or as they finish.

    ``items`` is read by the thread that iterates :meth:`results`, at most ``2 * threads`` ahead of what was
    yielded. With 0 threads that thread does the work too. An exception of the function ends the map.

    Items and results pass through two queues, and all else belongs to the iterating thread, so there is no
    lock: :meth:`stop` may be called while garbage is collected, which happens in any thread at any time.
    """

    def __init__(self, items: Iterator[Item], *, threads: int, ordered: bool) -> None:
        self.stopping: threading.Event = threading.Event()
        """Set when nothing more may begin."""
        self.threads: list[threading.Thread] = []
        self._owner = Owner()
        self._items, self._width, self._ordered = items, threads, ordered
        self._todo: queue.SimpleQueue[Optional[tuple[int, Item]]] = queue.SimpleQueue()
        # ``None`` ends the map, with the exception in ``_fatal`` if there is one.
        self._finished: queue.SimpleQueue[Optional[tuple[int, Result]]] = queue.SimpleQueue()
        self._fatal: list[BaseException] = []
        self._received = 0
        # By the number of the item, or of the arrival if they are yielded as they finish.
        self._ready: dict[int, Result] = {}

    def results(self, work: Callable[[Item], Result]) -> Iterator[Result]:
        """Yield ``work(item)`` for each. An exception of ``items`` follows the results of those before it."""
        read = yielded = 0
        end: list[Exception] = []
        # Each item is in one place: with a thread, in ``_todo``, ``_finished`` or ``_ready``. All of them
        # are at most ``read - yielded``, so memory is bounded however slow the loop or the work is.
        while True:
            if not self._owner.is_this_process():
                raise RuntimeError(
                    "this call of a pool continues in the process that began it, not in a fork of it"
                )
            while not end and read - yielded < max(1, 2 * self._width):
                try:
                    item = next(self._items)
                except Exception as error:
                    end.append(error)
                    break
                self._receive(block=False)
                self._start(work, read, item)
                read += 1
                del item
                # A result that is ready is not held up by slow items.
                if yielded in self._ready:
                    break
            if yielded == read:
                break
            self._receive(block=False)
            while yielded not in self._ready:
                self._receive(block=True)
            if self.stopping.is_set():
                raise RuntimeError(CLOSED)
            yielded += 1
            yield self._ready.pop(yielded - 1)
        if not isinstance(end[0], StopIteration):
            # Removed from this frame, which its traceback has.
            raise end.pop()

    def stop(self) -> None:
        """Begin nothing more, and have :meth:`results` raise. Work in progress continues."""
        self.stopping.set()
        # One ``None`` for each thread that waits for a task, and one for the iterating thread.
        for _ in self.threads:
            self._todo.put(None)
        self._finished.put(None)

    def join(self, seconds: float = math.inf) -> None:
        """Wait for the threads, except the current one. After :meth:`stop`."""
        join_threads(self.threads, seconds)

    def _start(self, work: Callable[[Item], Result], number: int, item: Item) -> None:
        # A thread for each item in progress is enough: more are started only while all are busy.
        if len(self.threads) < min(self._width, number + 1 - self._received):
            # Not a ThreadPoolExecutor: Python waits for its threads at exit, even if a function hangs.
            name = f"buntime-pool-{len(self.threads) + 1}"
            thread = threading.Thread(target=self._run, args=(work,), name=name, daemon=True)
            self.threads.append(thread)
            try:
                thread.start()
            except RuntimeError:
                # The system allows no more threads, or the program is ending: those that run do the work.
                self.threads.remove(thread)
        if self.threads:
            self._todo.put((number, item))
        else:
            self._finished.put((number, work(item)))

    def _receive(self, *, block: bool) -> None:
        """Store the results that are there, or wait for one; raise the exception that ends the map."""
        with suppress(queue.Empty):
            while True:
                finished = self._finished.get(block, MAX_WAIT)
                if finished is None:
                    raise self._fatal.pop() if self._fatal else RuntimeError(CLOSED)
                number, result = finished
                self._ready[number if self._ordered else self._received] = result
                self._received += 1
                block = False

    def _run(self, work: Callable[[Item], Result]) -> None:
        while not self.stopping.is_set() and (task := self._todo.get()) is not None:
            if self.stopping.is_set():
                return
            try:
                self._finished.put((task[0], work(task[1])))
            except BaseException as error:
                self._fatal.append(error)
                self._finished.put(None)
                return
            # A thread that waits must not keep its last item alive.
            del task


def join_threads(threads: Iterable[threading.Thread], seconds: float) -> None:
    """Wait for threads, except the current one, at most so long."""
    end = time.monotonic() + seconds
    for thread in list(threads):
        while thread is not threading.current_thread() and thread.is_alive():
            if (remaining := end - time.monotonic()) <= 0:
                return
            thread.join(min(MAX_WAIT, remaining))


def run_concurrently(act: Callable[[Item], object], items: Sequence[Item], *, threaded: bool) -> None:
    """Call ``act`` with each item, at the same time if ``threaded``; then raise the first error."""
    errors: list[Exception] = []

    def attempt(item: Item) -> None:
        try:
            act(item)
        except Exception as error:
            errors.append(error)

    threads = len(items) if threaded and len(items) > 1 else 0
    work: BoundedMap[Item, None] = BoundedMap(iter(items), threads=threads, ordered=False)
    try:
        for _ in work.results(attempt):
            pass
    finally:
        work.stop()
    work.join()
    if errors:
        raise errors[0]
