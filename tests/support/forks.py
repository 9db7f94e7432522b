"""What a forked child of this process comes to."""

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

_PATIENCE = 60
_LONGEST = 16 * 1024
_LOCKS = (type(threading.Lock()), type(threading.RLock()))


def in_a_fork(function: Callable[[], object]) -> str:
    """Return what ``function`` returns, or the error that it raises, in a forked child.

    The child leaves at once, without what Python does at its end. One that hangs fails the test.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python 3.12 and later warn of threads, which is what these tests are about.
        warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            signal.alarm(_PATIENCE)
            os.write(writing, _told(function).encode()[:_LONGEST] + b".")
        finally:
            os._exit(0)
    with open(reading, "rb", buffering=0) as file:
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(writing)
        assert 0 == ended, "the child did not come to an end"
        # Not to the end of the pipe, which a child of the child may keep open.
        return file.read(_LONGEST + 1)[:-1].decode()


def _told(function: Callable[[], object]) -> str:
    try:
        return str(function())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@contextmanager
def held(*locks: Any) -> Iterator[None]:
    """Have another thread hold these locks, as one in the middle of a call would."""
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            taken.set()
            over.wait(_PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert taken.wait(_PATIENCE)
        yield
    finally:
        over.set()
        thread.join()


def locks_of(thing: object) -> list[Any]:
    """Return every lock that something holds, however deep."""
    found: dict[int, Any] = {}
    seen: dict[int, object] = {}
    waiting = [thing]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (ModuleType, type)):
            continue
        seen[id(one)] = one
        if isinstance(one, _LOCKS):
            found[id(one)] = one
        waiting += one.__closure__ or () if isinstance(one, FunctionType) else gc.get_referents(one)
    return list(found.values())
