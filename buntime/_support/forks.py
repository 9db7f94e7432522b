"""What a forked child must not share with its parent, nor wait for."""

from __future__ import annotations

import os
import weakref
from typing import Any, TypeVar

T = TypeVar("T")

_known: weakref.WeakSet[Any] = weakref.WeakSet()


def reset_after_fork(thing: T) -> T:
    """Return a lock, which from now on is free in every forked child, or a holder of something else.

    Whichever thread held the lock during the fork, there is no such thread in the child to let go of it.
    What it guards may be half changed there, so each change must leave what can be gone on with.

    What is no lock has the method by which locks do this, ``_at_fork_reinit``: CPython's own name for it,
    which its ``logging`` and ``threading`` rely on as well.
    """
    _known.add(thing)
    return thing


def _free() -> None:
    for thing in list(_known):
        thing._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_free)
