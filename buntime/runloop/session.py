"""A session over a devbox: the calls of buntime.sh, answered by commands and files of the devbox."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime, timezone
from functools import partial
from typing import Any, Callable, Optional, Union, cast

import attrs

from buntime import models
from buntime.calls.executions import ExecutionCalls
from buntime.calls.files import FileCalls
from buntime.calls.sessions import SessionCalls
from buntime.calls.stream import ExecuteStream
from buntime.client.context import Context, ServiceCalls
from buntime.client.session import Session
from buntime.engine.caller import Caller
from buntime.errors import BuntimeError, ConfigurationError
from buntime.helpers.runner import Helpers, list_of, text_of
from buntime.helpers.tree import RemoteEntry
from buntime.runloop.connection import Connection
from buntime.runloop.output import open_stream, pieces
from buntime.runloop.session_requests import SHORT, WORKSPACE, DevboxRunner, Output, with_status
from buntime.runloop.wire.session_messages import label_of
from buntime.runloop.wire.views.devboxes import ExecutionView
from buntime.wire.requests import PAGE
from buntime.wire.responses import CreatedSession, relative

_SENT = ("files", "code", "command", "env", "working_dir", "timeout")
"""The options of a request that are sent to the devbox."""
_OF_THE_CALL = frozenset({"check", "idempotent", "max_output", "session_id", "stdin"})
"""The options that are applied on this side; standard input has become a part of the code."""
_STATES = {"running": "active", "suspended": "deep-sleep", "suspending": "deep-sleep"}


def as_session(connection: Connection, devbox_id: str, folder: str = WORKSPACE) -> Session:
    """See :meth:`Devbox.as_session <buntime.runloop.Devbox.as_session>`; ``folder`` is its workspace."""
    runner = DevboxRunner(devbox_id, connection.repeat_execute, folder)
    make = partial(DevboxCalls, runner=runner)
    context = Context(connection.caller, calls=ServiceCalls(make, make, make))
    return Session(context, CreatedSession(devbox_id), owned=False)


def program_fields(request: models.ExecuteRequest, limit: int) -> dict[str, Any]:
    """Return the fields of a request that runs a program; ``TypeError`` for an option that it cannot have."""
    for field in attrs.fields(type(request)):
        is_known = field.name in _SENT or field.name in _OF_THE_CALL
        if not is_known and getattr(request, field.name) != field.default:
            raise TypeError(f"a session over a devbox does not have the option {field.name!r}")
    fields = {name: getattr(request, name) for name in _SENT}
    return {**fields, "env": dict(request.env or {}), "timeout": limit, "label": label_of(request.code)}


class DevboxCalls(ExecutionCalls, SessionCalls, FileCalls):
    """The devbox as a session: runs programs, none of them twice, and has files in its workspace."""

    def __init__(self, caller: Caller, runner: DevboxRunner) -> None:
        super().__init__(caller)
        self._runner = runner

    def run(
        self,
        request: models.ExecuteRequest,
        session_limit: int | None = None,
        *,
        decode: Callable[[models.ExecuteResult], Any] = lambda result: result,
    ) -> Any:
        """Execute and return the result, or the return value of ``decode``."""
        limit, most = self.limit(request, session_limit), self.max_output(request)
        with self._runner.connected(self._caller, limit) as connection:
            output = self._runner.run(connection, "run", program_fields(request, limit), max_output=most)
        result = output.result()
        try:
            return decode(result.check() if request.check else result)
        except BuntimeError as error:
            error.call, error.attempts = self._call, 1
            self._caller.redact(error)
            raise

    def stream(self, request: models.ExecuteRequest, session_limit: int | None = None) -> ExecuteStream:
        """Execute and return the output as it arrives."""
        limit, most = self.limit(request, session_limit), self.max_output(request)
        with ExitStack() as undo:
            with self._runner.connected(self._caller, limit) as connection:
                fields = program_fields(request, limit)
                command = undo.enter_context(self._runner.staged(connection, "run", fields))
                view = connection.call("devboxes.execute_async", self._runner.devbox_id, command=command)
            stack = undo.pop_all()
        items = _items(connection, view, most)

        def close() -> None:
            with stack, suppress(ValueError):  # another thread is in the generator
                items.close()

        return ExecuteStream(
            items, close=close, check=request.check, call=self._call, attempts=1, max_output=most
        )

    def kill(self, session_id: str, pid: int | None) -> models.KillResult:  # noqa: ARG002 - it is the devbox
        """Kill one process of the session, or all of them."""
        reply = self._runner.operate(self._caller, "kill", pid=pid)
        pids = list_of(reply, "pids", int)
        return models.KillResult(len(pids), tuple(pids))

    @property
    def _call(self) -> str:
        return f"POST /v1/devboxes/{self._runner.devbox_id}/execute"

    def create(self, *_: Any, **_fields: Any) -> CreatedSession:
        """Raise ``ConfigurationError``: a session of buntime.sh would be of another service."""
        advice = f"take a snapshot_disk() of {self._runner.devbox_id} and create a devbox from it"
        raise ConfigurationError(f"a session over a devbox is not renewed; {advice}")

    def info(self, session_id: str) -> models.SessionInfo:
        """Return the state of the devbox, and the files and processes of the session."""
        with self._runner.connected(self._caller, SHORT) as connection:
            view = self._runner.state(connection)
            is_running = view.status == "running"
            counts = self._runner.outcome(connection, "info", {}) if is_running else {}
        created = view.create_time_ms
        return models.SessionInfo(
            id=session_id,
            created_at=None if created is None else datetime.fromtimestamp(created / 1000, timezone.utc),
            state=cast(Any, _STATES.get(view.status, view.status)),
            files_count=counts.get("files"),
            active_processes=counts.get("processes"),
            metadata=view.metadata,
        )

    def delete(self, session_id: str) -> None:
        """Shut the devbox down."""
        with self._runner.connected(self._caller, SHORT) as connection:
            self._runner.state(connection)
            connection.call("devboxes.shutdown", session_id)

    def write(self, session_id: str, path: str, content: str) -> models.WriteResult:  # noqa: ARG002 - it is the devbox
        """Write a text file, and the folders above it."""
        self._runner.operate(self._caller, "write", path=path, files=[(path, content)])
        return models.WriteResult(relative(path), len(content.encode()))

    def read(self, session_id: str, path: str) -> str:
        """Return the content of a text file."""
        try:
            return text_of(Helpers(self).run(session_id, "read", idempotent=True, path=path), "content")
        except BuntimeError as error:
            with_status(error)
            raise

    def list_page(self, session_id: str, path: str, offset: int) -> Sequence[models.FileInfo]:  # noqa: ARG002 - it is the devbox
        """Return one page of the children of a folder, our hidden folder included."""
        page = self._runner.operate(self._caller, "list", path=path, offset=offset, limit=PAGE)
        rows = map(RemoteEntry.parse, list_of(page, "entries", dict))
        return [models.FileInfo(each.path, each.size, each.modified, cast(Any, each.type)) for each in rows]


def _items(
    connection: Connection, view: ExecutionView, most: Optional[int]
) -> Generator[Union[models.StreamEvent, models.ExecuteResult], None, None]:
    output = Output(most)
    streams = {kind: open_stream(connection, view, kind) for kind in output.texts}
    for kind, piece in pieces(connection, streams):
        if text := output.add(kind, piece):
            yield models.StreamEvent("stderr" if kind == "stderr" else "stdout", text)
    if withheld := output.end(streams["stderr"].final or view):
        yield models.StreamEvent("stderr", withheld)
    yield output.result()
