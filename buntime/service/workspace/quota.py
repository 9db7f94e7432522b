"""Writing files to a session, as far as its disk has room."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from buntime._support.forks import reset_after_fork
from buntime.service.errors import ServiceError
from buntime.service.sessions.limits import MB
from buntime.service.workspace.base import Workspace
from buntime.service.workspace.paths import normalise


class DiskUsage:
    """Writes files to a workspace and refuses those that a disk of ``limit`` MB has no room for.

    Looking through a workspace on disk costs about 3 µs a file, so between executions its own sums are
    enough; an overwritten file counts twice in them until they reach the limit, then it looks. What
    an execution writes is the executor's to limit; it counts here from its end.
    """

    def __init__(self, workspace: Workspace, limit: int) -> None:
        self._workspace = workspace
        self._limit = limit * MB
        self._lock = reset_after_fork(threading.Lock())
        self._known: int | None = 0

    def forget(self) -> None:
        """Look again next time: code has run."""
        with self._lock:
            self._known = None

    def write(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write all of the files or none; 507 ``disk_full`` where there is no room for them.

        Raises what :meth:`Workspace.write_all` raises.
        """
        self._charge(files)
        try:
            self._workspace.write_all(files)
        except BaseException:
            self.forget()
            raise

    def _charge(self, files: Sequence[tuple[str, bytes]]) -> None:
        size = sum(len(content) for _, content in files)
        with self._lock:
            if self._known is None or self._known + size > self._limit:
                self._known = self._workspace.used() - self._overwritten(files)
            if self._known + size > self._limit:
                value, self._known = self._known + size, None
                raise _disk_full(self._limit, value)
            self._known += size

    def _overwritten(self, files: Sequence[tuple[str, bytes]]) -> int:
        return sum(self._size(path) for path in {normalise(path) for path, _ in files})

    def _size(self, path: str) -> int:
        try:
            return self._workspace.stat(path).size
        except FileNotFoundError:
            return 0


def _disk_full(highest: int, value: int) -> ServiceError:
    return ServiceError(
        507,
        "disk_full",
        f"The session's disk holds {highest} bytes; with this it would be {value}",
        {"limit": "disk", "max": highest, "value": value},
    )
