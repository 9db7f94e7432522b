"""The sessions that a client created and has to delete."""

from __future__ import annotations

from collections.abc import Container

from buntime._support.forks import reset_after_fork


class OwnedSessions:
    """The ids of the sessions that this process created and has not deleted yet."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}
        reset_after_fork(self)

    def _at_fork_reinit(self) -> None:
        # A forked child must not delete the sessions of its parent.
        self._ids = {}

    def add(self, session_id: str) -> None:
        """Add a session that was created."""
        self._ids[session_id] = None

    def discard(self, session_id: str) -> None:
        """Remove a session, if it is there."""
        self._ids.pop(session_id, None)

    def except_for(self, others: Container[str]) -> list[str]:
        """Return the sessions that are not among ``others``, the newest first."""
        # The copy is one step: another thread may create a session meanwhile.
        return [session_id for session_id in reversed(list(self._ids)) if session_id not in others]
