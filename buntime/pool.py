"""Many sessions at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Callable, Generic, Optional, TypeVar, cast

import attrs

from buntime import _validate
from buntime._pool_sessions import Stock
from buntime._pool_threads import Run
from buntime._support.log import logger
from buntime._support.unpicklable import NotPicklable
from buntime.client.client import Buntime
from buntime.client.session import Session
from buntime.client.sessions import Sessions, check_limits
from buntime.models import ExecuteRequest, ExecuteResult, ResourceLimits
from buntime.wire import json

__all__ = ["Outcome", "SessionPool"]

Item = TypeVar("Item")
Value = TypeVar("Value")


@attrs.frozen
class Outcome(Generic[Item, Value]):
    """What became of an item: ``value`` is what the function returned, ``error`` the exception it raised.

    One of the two is ``None``, or both where the function returned ``None``.
    """

    item: Item
    value: Optional[Value] = None
    error: Optional[Exception] = None

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return self.error is None

    def result(self) -> Value:
        """Return the value, or raise the error."""
        if self.error is None:
            return cast(Value, self.value)
        try:
            raise self.error
        finally:
            # The error's traceback has this frame, which must not have the error.
            del self


class SessionPool(NotPicklable):
    """Up to ``size`` sessions, and the work of many items spread over them.

    Arguments:
        client: makes the calls; it is not closed.
        size: how many sessions there are at most, and how many items are worked on at the same time.
        ttl: whole seconds that each session lives; the service's default is a day.
        metadata: a JSON object for each session.
        resource_limits: other limits than the plan's; paid plans only.
        reuse: give the session of an item to a later one, with all that was left in it. Without, each item
            has a new session, which is deleted after it.

    Sessions are made when they are needed, and deleted by :meth:`close` at the end of a ``with`` block at the
    latest. One that has ended, is about to, or may still be busy with a call that failed, is replaced. Where
    the plan allows no more sessions, or no more requests for now, the pool waits.

    Use it from any thread. A forked child has sessions of its own, and deletes none of its parent's.

    Raises ``TypeError`` or ``ValueError`` naming the argument.
    """

    def __init__(
        self,
        client: Buntime,
        size: int = 8,
        *,
        ttl: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        resource_limits: ResourceLimits | None = None,
        reuse: bool = True,
    ) -> None:
        if not isinstance(client, Buntime):
            raise TypeError(f"client must be a Buntime, not {type(client).__name__}")
        check_limits(resource_limits)
        self._client = client
        self._size = _validate.count("size", size)
        self._ttl = _validate.ttl(ttl)
        self._metadata = json.metadata(metadata)
        self._resource_limits = resource_limits
        self._reuse = _validate.flag("reuse", reuse)
        self._stocks: dict[int, Stock] = {}
        self._stock()

    def __repr__(self) -> str:
        stocks = getattr(self, "_stocks", None)
        return f"<SessionPool, {self._stock().count} of {self._size} sessions>" if stocks else "<SessionPool>"

    def __enter__(self) -> SessionPool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as failure:
            if error is None:
                raise
            logger().warning("the pool was not closed: %s", failure)

    @property
    def size(self) -> int:
        """How many sessions there are at most."""
        return self._size

    def map(
        self, function: Callable[[Session, Item], Value], items: Iterable[Item], *, ordered: bool = True
    ) -> Generator[Outcome[Item, Value], None, None]:
        """Call ``function(session, item)`` for each item, and yield an :class:`~buntime.Outcome` of each.

        Arguments:
            function: is called in threads, up to ``size`` at the same time, each with a session that it has
                for itself until it returns. An ``Exception`` it raises is the outcome's ``error``; another
                exception, such as ``SystemExit``, ends the call and is raised here.
            items: of any number. They are taken in the thread that iterates, and at most ``2 * size`` more
                than outcomes were yielded. What it raises is raised after the outcomes of those before.
            ordered: yield in the order of the items; without, as they finish.

        Nothing happens until the first outcome is asked for. Closing the generator, or an exception where it
        waits, ends what runs by deleting its sessions; after ``KeyboardInterrupt`` the sessions at rest are
        deleted too. No thread is left in either case.

        An item is given to ``function`` a second time only where the one call that it made of its session was
        answered that the session had ended before. Whatever may have been executed is not executed again.

        Raises ``RuntimeError`` where the pool is closed, also meanwhile, and ``TypeError`` for what is no
        function.
        """
        if not callable(function):
            raise TypeError(f"function must be callable with a session and an item, not {function!r}")
        iterator = iter(items)
        self._stock().check_open()
        return self._outcomes(function, iterator, _validate.flag("ordered", ordered), lambda _item: None)

    def execute(
        self, requests: Iterable[ExecuteRequest], *, ordered: bool = True
    ) -> Generator[Outcome[ExecuteRequest, ExecuteResult], None, None]:
        """Run each request in some session, and yield an :class:`~buntime.Outcome` of each.

        As :meth:`map`. A request that names a session is a ``ValueError``, and what is no
        :class:`~buntime.ExecuteRequest` a ``TypeError``: in a list or another collection before anything is
        sent, from an iterator when it is taken.
        """
        if isinstance(requests, Collection):
            for request in requests:
                _check(request)
        self._stock().check_open()
        ordered = _validate.flag("ordered", ordered)
        return self._outcomes(_execute, map(_check, requests), ordered, _timeout)

    def warm(self, count: int | None = None) -> int:
        """Make sessions beforehand, at the same time, until there are ``count``; ``size`` where left out.

        Return how many there are: fewer where the plan allows no more. Raises what making one raises, after
        the others were made.
        """
        wanted = self._size if count is None else _validate.count("count", count)
        return self._stock().warm(min(wanted, self._size))

    @contextmanager
    def session(self) -> Generator[Session, None, None]:
        """Borrow a session for a block, and wait for one where all are lent.

        The session is given back at the end of the block, or replaced as after an item. Raises what making
        one raises, and ``RuntimeError`` where the pool is closed.
        """
        stock = self._stock()
        lease = stock.borrow(stock.closing)
        try:
            yield lease.session
        except BaseException as error:
            lease.caller.judge(error)
            raise
        finally:
            stock.give_back(lease)

    def close(self) -> None:
        """End what runs, join the threads and delete every session; nothing can be asked of it afterwards.

        Every session is tried, then the first error is raised; closing it again tries those again.
        Idempotent. In a forked child it ends what is the child's.
        """
        self._stock().close()

    def _stock(self) -> Stock:
        """Return the sessions of this process."""
        stock = self._stocks.get(os.getpid())
        if stock is None:
            client = self._client
            made = Stock(client._caller, client._created, self._make, size=self._size, reuse=self._reuse)
            if any(other.closing.is_set() for other in list(self._stocks.values())):
                made.closing.set()
            stock = self._stocks.setdefault(made.pid, made)
        return stock

    def _make(self, sessions: Sessions) -> Session:
        return sessions.create(self._ttl, self._metadata, self._resource_limits)

    def _outcomes(
        self,
        function: Callable[[Session, Item], Value],
        items: Iterator[Item],
        ordered: bool,
        timeout: Callable[[Item], Optional[int]],
    ) -> Generator[Outcome[Item, Value], None, None]:
        # The stock is that of the process that iterates.
        stock, stopping = self._stock(), threading.Event()

        def work(item: Item) -> Outcome[Item, Value]:
            return _outcome(stock, stopping, function, item, timeout(item))

        threads = self._size if stock.threaded else 0
        run = Run(work, items, stopping, threads=threads, ordered=ordered)
        stock.begin(run)
        try:
            yield from run.results()
        except BaseException as error:
            stock.end(run, interrupted=not isinstance(error, (Exception, GeneratorExit)))
            raise
        stock.end(run, interrupted=False)


def _outcome(
    stock: Stock,
    stopping: threading.Event,
    function: Callable[[Session, Item], Value],
    item: Item,
    timeout: Optional[int],
) -> Outcome[Item, Value]:
    """Return the outcome of an item; one whose session had ended before is tried again in another."""
    while True:
        try:
            lease = stock.borrow(stopping, timeout)
        except Exception as error:
            if stopping.is_set() or stock.closing.is_set():
                raise
            return Outcome(item, error=error)
        try:
            outcome = _attempt(function, lease.session, item)
            lease.caller.judge(outcome.error)
            final = not lease.ended_before(outcome.error)
        finally:
            stock.give_back(lease)
        if final:
            return outcome


def _attempt(
    function: Callable[[Session, Item], Value], session: Session, item: Item
) -> Outcome[Item, Value]:
    try:
        return Outcome(item, function(session, item))
    except Exception as error:
        return Outcome(item, error=error)


def _execute(session: Session, request: ExecuteRequest) -> ExecuteResult:
    return session.execute(request)


def _timeout(request: ExecuteRequest) -> Optional[int]:
    return request.timeout


def _check(request: ExecuteRequest) -> ExecuteRequest:
    if not isinstance(request, ExecuteRequest):
        raise TypeError(f"requests must be ExecuteRequest, not {type(request).__name__}")
    if request.session_id is not None:
        raise ValueError(
            f"an ExecuteRequest names the session {request.session_id}; the pool chooses one: leave "
            "session_id out"
        )
    return request
