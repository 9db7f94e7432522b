"""What a forked child of this process comes to."""

from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

_PATIENCE = 60


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
            os.close(reading)
            os.write(writing, _told(function).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, encoding="utf-8") as file:
        told = file.read()
    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), "the child did not come to an end"
    return told


def _told(function: Callable[[], object]) -> str:
    try:
        return str(function())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@contextmanager
def held(lock: Any) -> Iterator[None]:
    """Have another thread hold a lock, as one in the middle of a call would."""
    taken, over = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
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
