"""The threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Collection


def started_since(before: Collection[threading.Thread]) -> list[str]:
    """Return the names of the threads that run now and did not before.

    A count would change with the end of a thread of an earlier test.
    """
    return [thread.name for thread in threading.enumerate() if thread not in before]
