"""Objects that have to be reset in a forked child."""

from __future__ import annotations

import os
import weakref
from typing import Any, TypeVar

T = TypeVar("T")

_registered: weakref.WeakSet[Any] = weakref.WeakSet()


def reset_after_fork(lock: T) -> T:
    """Return ``lock`` and release it in every forked child from now on.

    A fork copies a lock that another thread holds, but not that thread, so nothing would release it in the
    child. The data that the lock guards may be half changed there: each change has to leave it usable.

    Any object with a method ``_at_fork_reinit`` is accepted. That is CPython's name for it, which its
    ``logging`` and ``threading`` rely on as well.
    """
    _registered.add(lock)
    return lock


def _reset() -> None:
    for each in list(_registered):
        each._at_fork_reinit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset)
