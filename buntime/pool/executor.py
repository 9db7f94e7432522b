"""The sessions of a pool as an executor of the standard library."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Callable, TypeVar

from buntime.client.session import Session

Value = TypeVar("Value")


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
