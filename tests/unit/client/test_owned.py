"""The sessions that a client created."""

from __future__ import annotations

from buntime.client.owned import OwnedSessions
from tests.support.forks import needs_fork, run_in_fork


def _taken(created: OwnedSessions) -> set[str]:
    found: set[str] = set()
    while (session_id := created.pop()) is not None:
        found.add(session_id)
    return found


def test_each_is_taken_once() -> None:
    """But those that were forgotten."""
    created = OwnedSessions()
    for session_id in ("ses_1", "ses_2", "ses_3"):
        created.add(session_id)
    created.discard("ses_2")
    created.discard("ses_9")
    assert {"ses_1", "ses_3"} == _taken(created)
    assert set() == _taken(created)


@needs_fork
def test_each_process_has_its_own() -> None:
    """A forked child takes none of its parent's, nor forgets it."""
    created = OwnedSessions()
    created.add("ses_parent")

    def child() -> str:
        created.add("ses_child")
        created.discard("ses_parent")
        return " ".join(_taken(created))

    assert "ses_child" == run_in_fork(child)
    assert {"ses_parent"} == _taken(created)
