"""A deleted session and its files stayed in memory until the session would have fallen asleep or expired."""

from __future__ import annotations

import gc
import weakref

from buntime import Buntime
from buntime.transport import FakeTransport


def test_a_deleted_session_is_freed() -> None:
    """The service keeps nothing of it that the garbage collector does not free."""
    transport = FakeTransport()
    client = Buntime(transport=transport)
    session_id = client.sessions.create().id
    session = weakref.ref(transport._service.sessions[session_id])
    client.sessions.delete(session_id)
    gc.collect()
    assert session() is None
