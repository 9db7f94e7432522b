"""Signals that would kill the program immediately, raised as an exception so that it can clean up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Optional

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Signalled(KeyboardInterrupt):
    """A signal that ends the program arrived; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ending_signals() -> Iterator[None]:
    """Raise :class:`Signalled` in the block for the first SIGTERM or SIGHUP; ignore those that follow.

    A signal that has another handler, or is ignored (as by nohup), is left alone. Outside the main thread
    this does nothing.
    """

    def raise_first(number: int, _frame: Optional[FrameType]) -> None:
        for each in handled:
            signal.signal(each, signal.SIG_IGN)
        raise Signalled(number)

    handled: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        handled = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, raise_first)
    try:
        yield
    finally:
        for number in handled:
            signal.signal(number, signal.SIG_DFL)
