"""Ids of the sessions that a client created."""

from __future__ import annotations

from buntime.client.owned import OwnedSessions
from tests.support.forks import needs_fork, run_in_fork


def test_sessions_that_remain() -> None:
    """They are returned newest first, except for those that were tried or removed."""
    created = OwnedSessions()
    for session_id in ("ses_1", "ses_2", "ses_3", "ses_4"):
        created.add(session_id)
    created.discard("ses_2")
    created.discard("ses_9")
    assert ["ses_4", "ses_3", "ses_1"] == created.except_for(())
    assert ["ses_4", "ses_1"] == created.except_for({"ses_3"})


@needs_fork
def test_each_process_has_its_own_sessions() -> None:
    """A forked child neither has nor removes a session of its parent."""
    created = OwnedSessions()
    created.add("ses_parent")

    def child() -> str:
        created.add("ses_child")
        created.discard("ses_parent")
        return " ".join(created.except_for(()))

    assert "ses_child" == run_in_fork(child)
    assert ["ses_parent"] == created.except_for(())
