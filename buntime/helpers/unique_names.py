"""Telling calls apart that are under way at once and alike in everything."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from buntime._support.forks import reset_after_fork

_lock = reset_after_fork(threading.Lock())
_numbers: dict[tuple[str, str], set[int]] = defaultdict(set)


@contextmanager
def reserve_unique_name(session_id: str, name: str) -> Iterator[str]:
    """Return the name of a file of a session that no other call of this process uses during the block.

    It is the name itself but where that is in use, then ``NAME~1`` and so on: a program that does one
    thing after another makes the same requests in every run. Cassettes leave the number out.
    """
    with _lock:
        taken = _numbers[session_id, name]
        number = next(number for number in itertools.count() if number not in taken)
        taken.add(number)
    try:
        yield f"{name}~{number}" if number else name
    finally:
        with _lock:
            taken.discard(number)
            if not taken:
                _numbers.pop((session_id, name), None)
