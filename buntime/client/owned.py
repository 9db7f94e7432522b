"""The sessions that a client created."""

from __future__ import annotations

import os


class OwnedSessions:
    """The ids of the sessions that were created and nobody deleted yet, those of each process for itself."""

    def __init__(self) -> None:
        self._by_process: dict[int, dict[str, None]] = {}

    def add(self, session_id: str) -> None:
        """Note a session that this process created."""
        self._own()[session_id] = None

    def discard(self, session_id: str) -> None:
        """Forget a session, if it was noted."""
        self._own().pop(session_id, None)

    def take(self) -> str | None:
        """Return one that this process created, and forget it; ``None`` where there is none."""
        try:
            return self._own().popitem()[0]
        except KeyError:
            return None

    def _own(self) -> dict[str, None]:
        return self._by_process.setdefault(os.getpid(), {})
