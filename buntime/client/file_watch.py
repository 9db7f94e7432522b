"""Changes of the files of a session, as they happen."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Literal, Optional, Union

import attrs

from buntime import _validate
from buntime._support.closing import ClosesWithBlock, close_after
from buntime._support.export import export
from buntime._support.owner import Owner
from buntime._support.unpicklable import NotPicklable
from buntime.client.context import Context
from buntime.client.polling import STEP_LIMIT, polls
from buntime.errors import ConflictError, SessionNotFoundError, WaitTimeoutError
from buntime.helpers.ignore import expression
from buntime.helpers.runner import integer_of, invalid_reply


@attrs.frozen
class FileEvent:
    """A change of a file or folder, with its path in the workspace.

    ``kind`` is ``"created"``, ``"changed"`` or ``"deleted"``. ``type`` is ``"file"``, ``"directory"``, or
    ``"other"`` for links and anything else.
    """

    kind: Literal["created", "changed", "deleted"]
    path: str
    type: Literal["file", "directory", "other"] = "file"


class FileWatch(ClosesWithBlock, NotPicklable):
    """Iterates over changes, without an end.

    :meth:`SessionFiles.watch <buntime.SessionFiles.watch>` returns it. The session
    stores the last state, so that nothing is missed between two steps of the loop. :meth:`close`, also by
    another thread, ends the loop; leaving the block closes it.
    """

    def __init__(
        self,
        context: Context,
        session_id: str,
        path: str,
        ignore: Union[str, Iterable[str]],
        timeout: Optional[float],
    ) -> None:
        self._context = context
        self._session_id = session_id
        self._arguments: dict[str, Any] = {"path": path or ".", "ignore": expression(ignore)}
        self._timeout = _validate.seconds("timeout", timeout)
        self._events: deque[FileEvent] = deque()
        self._lock = threading.Lock()
        self._owner = Owner()
        self._turn = 0
        self._closed = False
        self._watch = integer_of(self._run(watch=0, turn=0, wait=0), "watch")

    def __iter__(self) -> FileWatch:
        return self

    def __next__(self) -> FileEvent:
        with self._lock:
            if not self._events and not self._closed:
                self._receive()
            if self._closed:
                raise StopIteration
            return self._events.popleft()

    def _receive(self) -> None:
        for step in polls(self._context, self._timeout):
            # A turn whose response is lost is repeated, by a retry or by the next step of the loop.
            reply = self._run(watch=self._watch, turn=self._turn + 1, wait=step)
            self._turn += 1
            if reply.get("ended") is True and not self._closed:
                error = ConflictError(
                    f"the watch {self._watch} was deleted in the session", code="watch_ended"
                )
                error.hint = "Begin another with session.files.watch()"
                raise error
            self._events.extend(_events(reply))
            if self._events or self._closed:
                return
        raise WaitTimeoutError(f"nothing changed in {self._arguments['path']!r} for {self._timeout} s")

    def close(self) -> None:
        """End the watch and what it runs in the session. Idempotent."""
        self._close(self._context)

    def _close(self, context: Context) -> None:
        if not self._closed:
            self._closed = True
            with suppress(SessionNotFoundError):  # it has ended with its session
                self._run(context, watch=self._watch, turn=0, wait=0, end=True)

    def _leave_block(self, error: Optional[BaseException]) -> None:
        if self._owner.is_this_process():
            context = self._context.for_cleanup(error)
            close_after(error, lambda: self._close(context), f"watch {self._watch} was not closed")

    def _run(
        self, context: Optional[Context] = None, *, end: bool = False, **arguments: Any
    ) -> dict[str, Any]:
        return (context or self._context).helpers.run(
            self._session_id,
            "file_watch",
            idempotent=True,
            timeout=STEP_LIMIT,
            end=end,
            **self._arguments,
            **arguments,
        )


def _events(reply: dict[str, Any]) -> list[FileEvent]:
    events = [] if reply.get("ended") is True else reply.get("events")
    if isinstance(events, list) and all(isinstance(each, list) and len(each) == 3 for each in events):
        return [FileEvent(*map(str, event)) for event in events]  # type: ignore[arg-type]  # of the helper's names
    raise invalid_reply("has no list of events", reply)


export("buntime", FileEvent, FileWatch)
