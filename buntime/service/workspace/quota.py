"""Writing files to a session within the size of its disk."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from buntime._support.forks import reset_after_fork
from buntime.service.errors import disk_full
from buntime.service.executors import MB
from buntime.service.workspace.base import Workspace
from buntime.service.workspace.paths import normalise


class DiskQuota:
    """Writes files to a workspace and rejects those that do not fit on a disk of ``limit`` MB.

    Measuring a workspace on disk takes about 3 µs a file, so between executions writes are only added up.
    The sum counts an overwritten file twice, so before a write is rejected the workspace is measured. The
    executor limits what an execution writes; here it counts from the end of the execution.
    """

    def __init__(self, workspace: Workspace, limit: int) -> None:
        self._workspace = workspace
        self._limit = limit * MB
        self._lock = reset_after_fork(threading.Lock())
        self._estimate: int | None = 0

    def forget(self) -> None:
        """Measure the workspace at the next write: code has run."""
        with self._lock:
            self._estimate = None

    def write(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write all of the files, or none and raise a 507 ``disk_full`` if they do not fit.

        Raises the same errors as :meth:`Workspace.write_all`.
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
            if self._estimate is None or self._estimate + size > self._limit:
                overwritten = sum(self._size(path) for path in {normalise(path) for path, _ in files})
                self._estimate = self._workspace.used() - overwritten
            value = self._estimate + size
            if value > self._limit:
                self._estimate = None
                message = f"The session's disk holds {self._limit} bytes; with this it would be {value}"
                raise disk_full(message, limit="disk", max=self._limit, value=value)
            self._estimate = value

    def _size(self, path: str) -> int:
        try:
            return self._workspace.stat(path).size
        except FileNotFoundError:
            return 0
