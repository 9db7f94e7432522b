"""Which files of a workspace each execution writes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress

import attrs

from buntime._support.forks import reset_after_fork
from buntime.service.workspace.base import PathError, Workspace, WorkspaceGone, changed

_MOST_FILES = 100_000
"""Of larger workspaces the state is not kept between executions, for the sake of memory."""


@attrs.frozen
class Comparison:
    """The files before an execution, and how many changes had begun or ended by then."""

    before: Mapping[str, object]
    changes: int


class FileHistory:
    """Compares the files of a workspace before and after each execution.

    On disk a look at the files is a walk, 72 ms for 20,000. One walk is enough if the state after the last
    execution is still that before this one. So it is kept if nothing can change it unseen: no process of the
    session was alive after the execution, only the session writes to the workspace, and no other execution or
    write began or ended during the execution. Later writes of the service are added to it.

    One walk and dates instead would not do: ``cp -p`` sets an old one, ``chmod`` and ``mv`` a new one on the
    same file, and the kernel's clock for them is 4 to 10 ms coarse.

    Executions that overlap in one session report each other's files too.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = reset_after_fork(threading.Lock())
        self._changes = 0
        self._state: dict[str, object] | None = None

    def wrote(self, paths: Iterable[str]) -> None:
        """Add files that the service has written."""
        with self._lock, suppress(WorkspaceGone, PathError, OSError):
            self._changes += 1
            state, self._state = self._state, None
            if state is not None:
                # Under the lock, so that of two writes of a file the last one counts.
                state.update(self._workspace.stamp(path) for path in paths)
                self._state = state

    def changed(self) -> None:
        """Forget the state: something has written files, or may have."""
        with self._lock:
            self._changes += 1
            self._state = None

    def begin(self) -> Comparison:
        """Return the state before an execution, which may write files from now until :meth:`changed`."""
        with self._lock:
            self._changes += 1
            changes, state, self._state = self._changes, self._state, None
        return Comparison(self._workspace.snapshot() if state is None else state, changes)

    def written(self, comparison: Comparison, *, no_process_left: bool) -> list[str]:
        """Return the sorted paths that are new or different since ``comparison``, after :meth:`changed`.

        ``no_process_left`` is whether no process of the session was alive after the execution.
        """
        after = self._workspace.snapshot()
        paths = changed(comparison.before, after)
        if no_process_left and self._workspace.exclusive and len(after) <= _MOST_FILES:
            with self._lock:
                # One change since the beginning, which is the end of this execution.
                if self._changes == comparison.changes + 1:
                    self._state = after
        return paths
