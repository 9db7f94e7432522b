"""Locks that a forked child can use."""

from __future__ import annotations

import os
import weakref
from typing import Any, TypeVar

T = TypeVar("T")

_known: weakref.WeakSet[Any] = weakref.WeakSet()


def free_after_fork(lock: T) -> T:
    """Return the lock, which from now on is free in every forked child.

    Whichever thread held it during the fork, there is no such thread in the child to let go of it. What
    it guards may be half changed there, so each change must leave something that can be gone on with.
    """
    _known.add(lock)
    return lock


def _free() -> None:
    for lock in list(_known):
        # CPython's own name for it, since 3.9; logging and threading do the same with theirs.
        lock._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free)
