"""Signals that would end the program at once, as an exception that lets it clean up."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Optional

_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Signalled(KeyboardInterrupt):
    """A signal came that ends the program. ``number`` is which."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def ending_signals() -> Iterator[None]:
    """Raise :class:`Signalled` in the block for the first SIGTERM or SIGHUP; ignore those that follow.

    A signal that does something else already, or is ignored (as by nohup), is left alone. Does nothing but in
    the main thread.
    """

    def notice(number: int, _frame: Optional[FrameType]) -> None:
        for each in taken:
            signal.signal(each, signal.SIG_IGN)
        raise Signalled(number)

    taken: list[signal.Signals] = []
    if threading.current_thread() is threading.main_thread():
        taken = [number for number in _ENDING if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, notice)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
