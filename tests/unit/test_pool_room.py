"""How soon a pool asks for another session after it was refused one."""

from __future__ import annotations

import threading

from buntime import Buntime
from buntime._pool_limits import Clock
from buntime._pool_room import Room
from tests.support.scripted import ScriptedTransport


def _asked_again(room: Room, transport: ScriptedTransport) -> float:
    """Return how long a pool without sessions waits before it asks."""
    before = transport.now
    room.wait(0, threading.Event())
    return transport.now - before


def test_refusals_at_the_same_time_count_once() -> None:
    """The pause is a second at first, and grows with each time that it is asked in vain."""
    transport = ScriptedTransport()
    changed = threading.Condition()
    room = Room(8, Clock(Buntime(transport=transport)._caller), changed)
    for _ in range(8):
        room.refused(0, None)
    pauses = [_asked_again(room, transport)]
    for _ in range(6):
        room.refused(0, None)
        pauses.append(_asked_again(room, transport))
    assert [1, 2, 4, 8, 16, 30, 30] == pauses


def test_the_service_says_when() -> None:
    """Of several refusals, the last that says so."""
    transport = ScriptedTransport()
    room = Room(8, Clock(Buntime(transport=transport)._caller), threading.Condition())
    for seconds in (90.0, 20.0, None):
        room.refused(0, seconds)
    assert 20 == _asked_again(room, transport)
