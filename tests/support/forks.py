"""Run functions in a forked child of this process."""

from __future__ import annotations

import gc
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FunctionType, ModuleType
from typing import Any, Callable

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

_TIMEOUT = 60
_MAX_LENGTH = 16 * 1024
_LOCKS = (type(threading.Lock()), type(threading.RLock()))


def run_in_fork(function: Callable[[], object]) -> str:
    """Return the result of ``function``, or the error that it raises, in a forked child.

    The child exits without running Python's exit handlers. A child that hangs fails the test.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 and later warn about forks with threads, which is what these tests are about.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            signal.alarm(_TIMEOUT)
            os.write(writing, _result_or_error(function).encode()[:_MAX_LENGTH] + b".")
        finally:
            os._exit(0)
    with open(reading, "rb", buffering=0) as file:
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(writing)
        assert 0 == ended, "the child did not exit"
        # Not to the end of the pipe, which a child of the child may keep open.
        return file.read(_MAX_LENGTH + 1)[:-1].decode()


def _result_or_error(function: Callable[[], object]) -> str:
    try:
        return str(function())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@contextmanager
def hold_locks(*locks: Any) -> Iterator[None]:
    """Let another thread hold these locks, as a thread in the middle of a call would."""
    acquired, done = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            acquired.set()
            done.wait(_TIMEOUT)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert acquired.wait(_TIMEOUT)
        yield
    finally:
        done.set()
        thread.join()


def locks_of(thing: object) -> list[Any]:
    """Return every lock that an object references, directly or indirectly."""
    locks: dict[int, Any] = {}
    visited: dict[int, object] = {}
    pending = [thing]
    while pending:
        item = pending.pop()
        if id(item) in visited or isinstance(item, (ModuleType, type)):
            continue
        visited[id(item)] = item
        if isinstance(item, _LOCKS):
            locks[id(item)] = item
        pending += item.__closure__ or () if isinstance(item, FunctionType) else gc.get_referents(item)
    return list(locks.values())
