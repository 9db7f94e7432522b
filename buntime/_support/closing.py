"""The end of a ``with`` block, and of the program."""

from __future__ import annotations

import atexit
import math
import time
from contextlib import suppress
from types import TracebackType
from typing import Callable, Optional, TypeVar

from buntime._support.log import logger

T = TypeVar("T")

CLEANUP_SECONDS = 10.0
"""After a Ctrl-C, how long all blocks that it leaves may take together to clean up."""


class ClosesWithBlock:
    """A base class of context managers."""

    def __enter__(self: T) -> T:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        self._leave_block(error)

    def _leave_block(self, error: Optional[BaseException]) -> None:
        """Clean up after ``error``, the exception that leaves the block, if any."""
        del error
        self.close()  # type: ignore[attr-defined]  # of the class that does not replace this method


def close_after(error: Optional[BaseException], close: Callable[[], object], failed: str) -> None:
    """Call ``close`` at the end of a block without masking ``error``, the exception that left the block.

    If both fail, the failure of ``close`` is logged after the words ``failed``.
    """
    try:
        close()
    except Exception as failure:
        if error is None:
            raise
        logger().warning("%s: %s", failed, failure)


def cleanup_seconds(error: Optional[BaseException]) -> Optional[float]:
    """Return how long cleaning up after ``error`` may take; ``None`` for no limit.

    All blocks that one Ctrl-C leaves share its 10 s. One that arrives during the clean-up ends it.
    """
    if not isinstance(error, KeyboardInterrupt):
        return None
    if "buntime_cleanup_ends" not in vars(error):
        seconds = 0.0 if _is_second(error) else CLEANUP_SECONDS
        vars(error)["buntime_cleanup_ends"] = time.monotonic() + seconds
    return max(0.0, float(vars(error)["buntime_cleanup_ends"]) - time.monotonic())


def _is_second(interrupt: KeyboardInterrupt) -> bool:
    """Whether an interrupt arrived while another one was handled."""
    context = interrupt.__context__
    # urllib3 1 receives responses while it handles a TypeError, which then stands between the two.
    while context is not None and not isinstance(context, KeyboardInterrupt):
        context = context.__context__
    return context is not None


class Cleanup:
    """How long cleaning up after ``error`` may take: ``seconds``, or less after a Ctrl-C."""

    def __init__(self, error: Optional[BaseException] = None, seconds: float = math.inf) -> None:
        limit = cleanup_seconds(error)
        self._ends = time.monotonic() + (seconds if limit is None else limit)

    def remaining(self) -> float:
        """Return the remaining seconds."""
        return max(0.0, self._ends - time.monotonic())


class AtExit:
    """Calls a function when the program ends, if :meth:`register` was called; a Ctrl-C ends it silently."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._is_registered = False

    def register(self) -> None:
        """Have the function called before those that were registered earlier. Only the first call counts."""
        if not self._is_registered:
            self._is_registered = True
            atexit.register(self._run)

    def unregister(self) -> None:
        """Have the function not called any more."""
        atexit.unregister(self._run)

    def _run(self) -> None:
        # Python would report a Ctrl-C here as an exception that it ignores.
        with suppress(KeyboardInterrupt):
            self._function()
