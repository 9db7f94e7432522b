"""Ids of the sessions that a client created."""

from __future__ import annotations

from buntime.client.owned import OwnedSessions
from tests.support.forks import needs_fork, run_in_fork


def _pop_all(created: OwnedSessions) -> set[str]:
    session_ids: set[str] = set()
    while (session_id := created.pop()) is not None:
        session_ids.add(session_id)
    return session_ids


def test_each_session_is_removed_once() -> None:
    """Forgotten sessions are not returned."""
    created = OwnedSessions()
    for session_id in ("ses_1", "ses_2", "ses_3"):
        created.add(session_id)
    created.discard("ses_2")
    created.discard("ses_9")
    assert {"ses_1", "ses_3"} == _pop_all(created)
    assert set() == _pop_all(created)


@needs_fork
def test_each_process_has_its_own_sessions() -> None:
    """A forked child neither removes nor forgets a session of its parent."""
    created = OwnedSessions()
    created.add("ses_parent")

    def child() -> str:
        created.add("ses_child")
        created.discard("ses_parent")
        return " ".join(_pop_all(created))

    assert "ses_child" == run_in_fork(child)
    assert {"ses_parent"} == _pop_all(created)
