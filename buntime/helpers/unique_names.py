"""Names for files of identical calls that run concurrently."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from buntime._support.forks import reset_after_fork

_lock = reset_after_fork(threading.Lock())
_reserved: dict[tuple[str, str], set[int]] = defaultdict(set)


@contextmanager
def reserve_unique_name(session_id: str, name: str) -> Iterator[str]:
    """Return a name for a file of a session that no other call of this process uses during the block.

    That is ``name`` itself, or ``NAME~1`` and so on while it is in use: a sequential program makes the same
    requests in every run. Cassettes remove the number.
    """
    with _lock:
        numbers = _reserved[session_id, name]
        number = next(number for number in itertools.count() if number not in numbers)
        numbers.add(number)
    try:
        yield f"{name}~{number}" if number else name
    finally:
        with _lock:
            numbers.discard(number)
            if not numbers:
                _reserved.pop((session_id, name), None)
