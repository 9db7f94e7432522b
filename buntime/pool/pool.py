"""The public session pool."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, Optional, TypeVar

from buntime import _validate
from buntime._support.closing import ClosesWithBlock, close_after
from buntime._support.export import export
from buntime._support.forks import reset_after_fork
from buntime._support.other_names import checks_arguments
from buntime._support.unpicklable import NotPicklable
from buntime.client.client import Buntime
from buntime.client.creation import check_limits
from buntime.client.functions import callee
from buntime.client.session import Session
from buntime.models import ExecuteRequest, ExecuteResult, ResourceLimits
from buntime.pool.batches import call_batch, flatten, split
from buntime.pool.executor import SessionExecutor
from buntime.pool.limits import check_open
from buntime.pool.outcome import Outcome, Progress, with_progress
from buntime.pool.registry import SessionRegistry
from buntime.pool.workers import BoundedMap
from buntime.wire import json

Item = TypeVar("Item")
Value = TypeVar("Value")
Run = Callable[..., Any]
"""Calls a function with a session and the other arguments."""


@checks_arguments
class SessionPool(ClosesWithBlock, NotPicklable):
    """Runs many items over at most ``size`` sessions, each item in a session that it has for itself.

    Arguments:
        client: makes the calls; it is not closed.
        size: how many sessions there are at most, and how many items run at the same time.
        ttl: lifetime of each session in whole seconds; the service's default is a day.
        metadata: a JSON object for each session.
        resource_limits: limits of each session instead of the plan's; paid plans only.
        reuse: give a session to the next item with all that the last one left in it. With ``False`` each item
            gets a new session, which is deleted after it.
        max_wait: seconds that a request waits at the rate limit in all, and a pool without sessions for its
            first; then the item has the error of the service. ``None`` for no limit.

    Sessions are created on demand, and deleted by :meth:`close` or at the end of a ``with`` block. A session
    is replaced if it has ended, is about to, or may still be busy after a call that failed. The pool waits
    when it reaches the plan's limits of sessions or requests.

    A pool can be used from any thread. A forked child has its own sessions, and deletes none of its parent's.
    Raises ``TypeError`` or ``ValueError`` naming the argument.
    """

    def __init__(
        self,
        client: Buntime,
        size: int = 8,
        *,
        ttl: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        resource_limits: Optional[ResourceLimits] = None,
        reuse: bool = True,
        max_wait: Optional[float] = 172_800.0,
    ) -> None:
        if not isinstance(client, Buntime):
            raise TypeError(f"client must be a Buntime, not {type(client).__name__}")
        check_limits(resource_limits)
        self._size = _validate.count("size", size)
        max_wait = _validate.seconds("max_wait", max_wait)
        self._new_registry = partial(
            SessionRegistry,
            client._context,
            (_validate.ttl(ttl), json.metadata(metadata), resource_limits),
            size=self._size,
            reuse=_validate.flag("reuse", reuse),
            max_wait=math.inf if max_wait is None else max_wait,
        )
        self._registry = self._new_registry()
        reset_after_fork(self)

    def __repr__(self) -> str:
        # A traceback with local variables shows a pool whose construction failed, too.
        if not hasattr(self, "_registry"):
            return "<SessionPool>"
        return f"<SessionPool, {self._registry.count} of {self._size} sessions>"

    def _leave_block(self, error: Optional[BaseException]) -> None:
        try:
            close_after(error, partial(self._registry.close, error), "the pool was not closed")
        except KeyboardInterrupt as interrupt:
            # The first Ctrl-C leaves its seconds for the sessions that are not deleted yet, a second none.
            close_after(interrupt, partial(self._registry.close, interrupt), "the pool was not closed")
            raise

    @property
    def size(self) -> int:
        """How many sessions there are at most."""
        return self._size

    def map(
        self,
        function: Callable[[Session, Item], Value],
        items: Iterable[Item],
        *,
        ordered: bool = True,
        progress: Optional[Progress] = None,
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Call ``function(session, item)`` for each item, and yield an :class:`~buntime.Outcome` for each.

        Arguments:
            function: called in up to ``size`` threads. An ``Exception`` becomes the outcome's ``error``;
                ``SystemExit`` and the like stop the run and are raised from your loop.
            items: any number, read by the thread that iterates, at most ``2 * size`` ahead of the outcomes.
                An exception is raised after the outcomes of the items before it.
            ordered: yield in the order of the items; otherwise as they finish.
            progress: ``tqdm`` or the like: called with the outcomes and ``total=``, the number of items or
                ``None`` if it is unknown; returns an iterable of the outcomes.

        Nothing happens before the first outcome is requested. Leaving the loop deletes the sessions that are
        at work, and after ``KeyboardInterrupt`` the idle ones too; no thread is left.

        Nothing that may have been executed is executed again: an item is passed to ``function`` a second time
        only if the only call it had made was refused because its session had already ended.

        Raises ``RuntimeError`` if the pool is or gets closed, and ``TypeError`` if ``function`` or
        ``progress`` is not callable, or ``items`` not iterable.
        """
        _validate.function("function", function, "a session and an item")
        outcomes = self._results(
            lambda run: partial(run, function), _validate.iterator("items", items), ordered
        )
        return with_progress(outcomes, items, progress)

    def execute(
        self,
        requests: Iterable[ExecuteRequest],
        *,
        ordered: bool = True,
        progress: Optional[Progress] = None,
    ) -> Generator[Outcome[ExecuteRequest, ExecuteResult], None, None]:
        """Execute each request in one of the sessions, as :meth:`map` does.

        Raises ``ValueError`` for a request that names a session, and ``TypeError`` for anything but an
        :class:`~buntime.ExecuteRequest`: from a collection before anything is sent, from an iterator when it
        is read.
        """
        if isinstance(requests, Collection):
            for request in requests:
                _check(request)
        checked = map(_check, _validate.iterator("requests", requests))
        return with_progress(self.map(Session.execute, checked, ordered=ordered), requests, progress)

    def call(
        self,
        function: str,
        rows: Iterable[Item],
        *,
        batch: int = 50,
        timeout: Optional[int] = None,
        idempotent: bool = False,
        ordered: bool = True,
        progress: Optional[Progress] = None,
    ) -> Generator[Outcome[Item, Any], None, None]:
        """Call a JavaScript function with each row, many rows in one execution, and yield their outcomes.

        ``function``, ``timeout`` and ``idempotent`` are those of :meth:`Session.call <buntime.Session.call>`;
        the function gets one argument, the row. ``batch`` rows share an execution and its time limit, one
        after another. The rest is as for :meth:`map`, with batches as items.

        A row that fails has its own error, such as :class:`~buntime.JavaScriptError`, whose ``result`` has
        the output of its batch. If an execution ends before its rows are done, because of a time limit,
        ``process.exit()`` or memory, both halves run again until one row is left, which has that error. **The
        rows beside it then run more than once; with** ``batch=1`` **none does.** Any other error of an
        execution is the error of each of its rows.
        """
        request = ExecuteRequest("", timeout=timeout, idempotent=idempotent)
        call = partial(call_batch, callee(function), request)
        parts = split(_validate.iterator("rows", rows), _validate.count("batch", batch))
        batches = self._results(lambda run: partial(call, run), parts, ordered)
        return with_progress(flatten(batches), rows, progress)

    def executor(self) -> SessionExecutor:
        """Return a :class:`concurrent.futures.Executor` that calls functions with a session of the pool.

        ``executor.submit(function, *args)`` calls ``function(session, *args)`` in one of ``size`` threads.
        The end of its ``with`` block, or ``shutdown``, waits for the calls; the pool stays open. A Ctrl-C
        that leaves the block ends them, as it ends :meth:`map`. As with any executor, submitted calls wait
        in a queue without a limit.
        """
        return SessionExecutor(self._registry)

    def warm(self, count: Optional[int] = None) -> int:
        """Create sessions concurrently until there are ``count``, by default ``size``.

        Return how many there are: fewer if the plan allows no more. If creating one fails, that is raised
        after the others were created.
        """
        count = self._size if count is None else _validate.count("count", count)
        return self._registry.warm(min(count, self._size))

    @contextmanager
    def session(self) -> Generator[Session, None, None]:
        """Borrow a session for a block; wait for one if all are in use.

        Raises what creating a session raises, and ``RuntimeError`` if the pool is closed.
        """
        registry = self._registry
        with registry.lend(registry.closing) as lease:
            yield lease.session

    def close(self) -> None:
        """End all work, join the threads and delete every session; the pool cannot be used afterwards.

        If a deletion fails, the error is raised after the others were tried; closing again tries it again.
        Idempotent. In a forked child it ends only what belongs to the child.
        """
        self._registry.close()

    def _at_fork_reinit(self) -> None:
        """Have no sessions in a forked child, and be closed there if the parent's pool is."""
        parents, self._registry = self._registry, self._new_registry()
        if parents.closing.is_set():
            self._registry.closing.set()

    def _results(
        self, work: Callable[[Run], Callable[[Any], Any]], items: Iterator[Any], ordered: bool
    ) -> Generator[Outcome[Any, Any], None, None]:
        """Yield the outcome of each item; the arguments are checked before the first is read."""
        check_open(self._registry.closing)
        _validate.flag("ordered", ordered)

        def iterate() -> Generator[Outcome[Any, Any], None, None]:
            registry = self._registry  # that of the process that iterates
            running = BoundedMap(registry.width, ordered=ordered)
            registry.begin(running)
            try:
                yield from running.outcomes(work(partial(registry.run, running.stopping)), items)
            except BaseException as error:
                registry.finish(running, error)
                raise
            registry.finish(running)

        return iterate()


def _check(request: ExecuteRequest) -> ExecuteRequest:
    if not isinstance(request, ExecuteRequest):
        raise TypeError(f"requests must be ExecuteRequest, not {type(request).__name__}")
    if request.session_id is not None:
        raise ValueError(
            f"an ExecuteRequest names the session {request.session_id}; the pool chooses one: omit session_id"
        )
    return request


export("buntime", SessionPool)
