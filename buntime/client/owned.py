"""The sessions that a client created and has to delete."""

from __future__ import annotations

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

    def pop(self) -> str | None:
        """Remove and return one session; ``None`` if there is none."""
        try:
            return self._ids.popitem()[0]
        except KeyError:
            return None
