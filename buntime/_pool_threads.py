"""Many items at once: the caller takes them and gets what becomes of each, threads do the work."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, Generic, Optional, TypeVar

from buntime._pool_limits import CLOSED, SLICE

Item = TypeVar("Item")
Result = TypeVar("Result")
Thing = TypeVar("Thing")

_END: Any = object()


class Run(Generic[Item, Result]):
    """Passes each item to ``work`` and yields what it returns, in the order of the items or as they finish.

    ``items`` is iterated by the thread that iterates :meth:`results`, and by no other. Of what was taken from
    it, ``2 * threads`` items at most wait, are worked on, or have a result that was not yielded yet. With 0
    threads an item is worked on by the caller's thread, when its result is asked for.

    An item that was taken is in ``_todo``, then with a thread, then in ``_done`` by its number. ``_lock``
    guards these two and all that follows them; ``_work_came`` is for the threads, ``_work_ended`` for the
    caller. What ``work`` raises ends the run.
    """

    def __init__(
        self,
        work: Callable[[Item], Result],
        items: Iterator[Item],
        stopping: threading.Event,
        *,
        threads: int,
        ordered: bool,
    ) -> None:
        self.stopping = stopping
        """Set once nothing more is to be begun."""
        self._pid = os.getpid()
        self._work = work
        self._items = items
        self._width = threads
        self._ahead = max(1, 2 * threads)
        self._ordered = ordered
        self._more = True
        self._items_error: Optional[Exception] = None
        self._taken = 0
        self._yielded = 0
        self._lock = threading.Lock()
        self._work_came = threading.Condition(self._lock)
        self._work_ended = threading.Condition(self._lock)
        self._todo: deque[tuple[int, Item]] = deque()
        self._done: dict[int, Result] = {}
        self._waiting = 0
        self._threads: list[threading.Thread] = []
        self._enders: list[threading.Thread] = []
        self._failure: Optional[BaseException] = None

    def results(self) -> Iterator[Result]:
        """Yield the results; what ``items`` raises is raised after the last of what it gave before."""
        try:
            yield from self._results()
        finally:
            # An exception that is raised has this object in its traceback, and must not be in it.
            self._items_error = self._failure = None

    def _results(self) -> Iterator[Result]:
        while True:
            if os.getpid() != self._pid:
                raise RuntimeError(
                    "this call of a pool goes on in the process that began it, not in a fork of it"
                )
            self._take()
            if self._yielded == self._taken:
                break
            yield self._next()
        if self._items_error is not None:
            raise self._items_error

    def stop(self) -> None:
        """Begin nothing more. What is being worked on goes on."""
        self.stopping.set()
        with self._lock:
            self._work_came.notify_all()
            self._work_ended.notify_all()

    def works_here(self) -> bool:
        """Whether the thread that asks is one of this run's."""
        return threading.current_thread() in self._threads

    def end_aside(self, end: Callable[[], object]) -> None:
        """Have a new thread end the run: this one may hold any lock, as garbage is collected anywhere."""
        thread = threading.Thread(target=end, name="buntime-pool-end", daemon=False)
        self._enders.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait until every thread has ended, but for the one that calls this. After :meth:`stop`."""
        with self._lock:
            threads = [*self._threads, *self._enders]
        for thread in threads:
            if thread is not threading.current_thread():
                _join(thread)

    def _take(self) -> None:
        """Take items up to the bound, or until a result is there: that is not to wait for slow items."""
        while self._more and self._taken - self._yielded < self._ahead:
            try:
                item = next(self._items, _END)
            except Exception as error:
                self._more, self._items_error = False, error
                return
            if item is _END:
                self._more = False
                return
            self._hand_out(item)
            if self._ready():
                return

    def _hand_out(self, item: Item) -> None:
        number, self._taken = self._taken, self._taken + 1
        if not self._width:
            self._done[number] = self._work(item)
            return
        with self._lock:
            self._todo.append((number, item))
            self._work_came.notify()
            if len(self._todo) <= self._waiting or len(self._threads) == self._width:
                return
            # A daemon, so that a program that ends while a function hangs does end.
            name = f"buntime-pool-{len(self._threads) + 1}"
            thread = threading.Thread(target=self._run, name=name, daemon=True)
            self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:
            # The system has no room for more: those there are do the work.
            with self._lock:
                self._threads.remove(thread)
            if not self._threads:
                raise

    def _ready(self) -> bool:
        return self._yielded in self._done if self._ordered else bool(self._done)

    def _next(self) -> Result:
        with self._lock:
            while True:
                if self._failure is not None:
                    raise self._failure
                if self.stopping.is_set():
                    raise RuntimeError(CLOSED)
                if self._ready():
                    number = self._yielded if self._ordered else next(iter(self._done))
                    self._yielded += 1
                    return self._done.pop(number)
                self._work_ended.wait(SLICE)

    def _run(self) -> None:
        while True:
            found = self._wait_for_work()
            if found is None:
                return
            number, item = found
            try:
                result = self._work(item)
            except BaseException as error:
                self._fail(error)
                return
            self._finish(number, result)
            # A thread that waits keeps nothing alive.
            del found, item, result

    def _wait_for_work(self) -> Optional[tuple[int, Item]]:
        with self._lock:
            self._waiting += 1
            while not self._todo and not self.stopping.is_set():
                self._work_came.wait()
            self._waiting -= 1
            # What is handed out after stop() is left there.
            return None if self.stopping.is_set() else self._todo.popleft()

    def _finish(self, number: int, result: Result) -> None:
        with self._lock:
            self._done[number] = result
            self._work_ended.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if not self.stopping.is_set():
                self._failure = self._failure or error
            self._work_ended.notify_all()


def at_once(act: Callable[[Thing], object], things: Iterable[Thing], *, threaded: bool) -> None:
    """Call ``act``, which does not raise, with each of ``things``: at the same time, unless not ``threaded``.

    Where waiting for the threads is interrupted, they go on, and the program does not end before they do.
    """
    things = list(things)
    threads = _started(act, things) if threaded and len(things) > 1 else []
    for thing in things[len(threads) :]:
        act(thing)
    for thread in threads:
        _join(thread)


def _join(thread: threading.Thread) -> None:
    while thread.is_alive():
        thread.join(SLICE)


def _started(act: Callable[[Thing], object], things: Sequence[Thing]) -> list[threading.Thread]:
    threads: list[threading.Thread] = []
    for number, thing in enumerate(things, 1):
        thread = threading.Thread(target=act, args=(thing,), name=f"buntime-pool-call-{number}", daemon=False)
        try:
            thread.start()
        except RuntimeError:
            # A program that is ending can start no more, and a system may have no room for more.
            break
        threads.append(thread)
    return threads
