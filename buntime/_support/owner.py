"""Which process an object belongs to."""

from __future__ import annotations

import os


class Owner:
    """The process that created an object: a forked child has a copy of the object, and does not own it."""

    __slots__ = ("_pid",)

    def __init__(self) -> None:
        self._pid = os.getpid()

    def is_this_process(self) -> bool:
        """Whether this process created the object."""
        return os.getpid() == self._pid
