"""One session: a sandbox as an object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Optional, Union, overload

import attrs

import buntime
from buntime import _validate
from buntime._support.closing import ClosesWithBlock, close_after
from buntime._support.export import export
from buntime._support.log import logger
from buntime._support.other_names import (
    check_arguments,
    checks_arguments,
    missing_attribute,
    refuse_positional,
)
from buntime._support.owner import Owner
from buntime._support.typing import Archive, OnText, Unpack
from buntime.client.context import Context
from buntime.client.options import make_request
from buntime.errors import SessionNotFoundError
from buntime.models import (
    CallbackOptions,
    ExecuteOptions,
    ExecuteRequest,
    ExecuteResult,
    KillResult,
    MaxOutput,
    ResourceLimits,
    SessionInfo,
    WatchOptions,
)
from buntime.wire.responses import CreatedSession

_BY_NAME = ("command", "env", "timeout", "working_dir")
_PING_DEADLINE = 10.0


@checks_arguments
class Session(ClosesWithBlock):
    """One sandbox: a workspace of files in which code runs.

    ``client.sessions`` returns it: :meth:`create <buntime.Sessions.create>` and
    :meth:`attach <buntime.Sessions.attach>`. As a context manager it deletes a created session on exit, also
    when the block raises, without masking that exception.
    """

    def __init__(
        self,
        context: Context,
        created: CreatedSession,
        *,
        owned: bool,
        created_monotonic: Optional[float] = None,
    ) -> None:
        self._context = context
        self._created = created
        self._created_monotonic = created_monotonic
        self._owned = owned
        self._owner = Owner()

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    def _repr_html_(self) -> str:
        from buntime._support import html

        known = {"created": self.created_at, "expires": self.expires_at, "preview": self.preview_url}
        rows = [(name, str(value)) for name, value in known.items() if value is not None]
        return html.titled(f"Session {self.id}", html.table((), rows, len(rows)) if rows else "")

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            return missing_attribute(self, name)

    def __getstate__(self) -> dict[str, Any]:
        return {"context": self._context, "created": attrs.asdict(self._created, recurse=False)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        created = CreatedSession(**state["created"])
        self.__init__(state["context"], created, owned=False)  # type: ignore[misc]  # a new object

    def _leave_block(self, error: Optional[BaseException]) -> None:
        if self._owned and self._owner.is_this_process():
            context = self._context.for_cleanup(error)
            close_after(error, lambda: self._delete_existing(context), f"session {self.id} was not deleted")

    def _delete_existing(self, context: Context) -> None:
        try:
            context.delete_session(self.id)
            self._owned = False
        except SessionNotFoundError:
            logger().debug("session %s had ended before it was deleted", self.id)

    @property
    def id(self) -> str:
        """The id, assigned by the service."""
        return self._created.id

    @property
    def files(self) -> buntime.SessionFiles:
        """The files of the session: :class:`~buntime.SessionFiles`."""
        from buntime.client.files import SessionFiles

        return SessionFiles(self._context, self.id)

    @property
    def created_at(self) -> Optional[datetime]:
        """When it was created, in UTC; ``None`` for an attached session until :meth:`info`."""
        return self._created.created_at

    @property
    def expires_at(self) -> Optional[datetime]:
        """When it expires, in UTC; ``None`` for an attached session until :meth:`info`."""
        return self._created.expires_at

    @property
    def preview_url(self) -> Optional[str]:
        """The URL of a server on the session's port 8080; ``None`` for an attached session."""
        return self._created.preview_url

    @property
    def resource_limits(self) -> Optional[ResourceLimits]:
        """The session's limits; ``None`` for an attached session."""
        return self._created.resource_limits

    @property
    def _time_limit(self) -> Optional[int]:
        return self.resource_limits.timeout if self.resource_limits else None

    @overload
    def execute(self, code: ExecuteRequest, **callbacks: Unpack[CallbackOptions]) -> ExecuteResult: ...
    @overload
    def execute(self, code: str, **options: Unpack[WatchOptions]) -> ExecuteResult: ...
    @overload
    def execute(self, *, command: str, **options: Unpack[WatchOptions]) -> ExecuteResult: ...
    def execute(
        self,
        code: Optional[Union[str, ExecuteRequest]] = None,
        *others: object,
        command: Optional[str] = None,
        on_stdout: Optional[OnText] = None,
        on_stderr: Optional[OnText] = None,
        **options: Unpack[ExecuteOptions],
    ) -> ExecuteResult:
        """Run code or a shell command here; see :meth:`Buntime.execute <buntime.Buntime.execute>`."""
        refuse_positional("Session.execute", others, 1, _BY_NAME)
        return self._context.executions.watch(
            self._request(code, command, options), self._time_limit, on_stdout=on_stdout, on_stderr=on_stderr
        )

    @overload
    def stream(self, code: ExecuteRequest) -> buntime.ExecuteStream: ...
    @overload
    def stream(self, code: str, **options: Unpack[ExecuteOptions]) -> buntime.ExecuteStream: ...
    @overload
    def stream(self, *, command: str, **options: Unpack[ExecuteOptions]) -> buntime.ExecuteStream: ...
    def stream(
        self,
        code: Optional[Union[str, ExecuteRequest]] = None,
        *others: object,
        command: Optional[str] = None,
        **options: Unpack[ExecuteOptions],
    ) -> buntime.ExecuteStream:
        """Run code or a shell command here and return its output as it arrives.

        See :meth:`Buntime.stream <buntime.Buntime.stream>`.
        """
        refuse_positional("Session.stream", others, 1, _BY_NAME)
        return self._context.executions.stream(self._request(code, command, options), self._time_limit)

    def _request(
        self, code: Optional[Union[str, ExecuteRequest]], command: Optional[str], options: ExecuteOptions
    ) -> ExecuteRequest:
        if isinstance(code, ExecuteRequest):
            return make_request(self._context, code, self.id, None, command, options)
        return make_request(self._context, None, self.id, code, command, options)

    @overload
    def start(
        self,
        code: str,
        *,
        env: Optional[Mapping[str, str]] = None,
        working_dir: Optional[str] = None,
        stdin: bool = False,
    ) -> buntime.Process: ...
    @overload
    def start(
        self,
        *,
        command: str,
        env: Optional[Mapping[str, str]] = None,
        working_dir: Optional[str] = None,
        stdin: bool = False,
    ) -> buntime.Process: ...
    def start(
        self,
        code: Optional[str] = None,
        *others: object,
        command: Optional[str] = None,
        env: Optional[Mapping[str, str]] = None,
        working_dir: Optional[str] = None,
        stdin: bool = False,
        **unknown: Any,
    ) -> buntime.Process:
        """Start code or a shell command in the background; return when it runs.

        The arguments are those of :class:`~buntime.ExecuteRequest`. Standard input is empty; with ``stdin``
        it is a pipe for :meth:`Process.write <buntime.Process.write>`.
        It gets its own process group, and no time limit other than the session's life. A start that fails
        raises and leaves nothing behind. If the response is lost, the start is not repeated, and the error
        has ``maybe_executed``.
        """
        from buntime.client import processes

        refuse_positional("Session.start", others, 1, ("command", "env", "working_dir", "stdin"))
        check_arguments(unknown, ("command", "env", "working_dir", "stdin"))
        request = ExecuteRequest(code, command=command, env=env, working_dir=working_dir)
        del env  # so that no traceback with these variables shows its values
        return processes.start(self._context, self.id, request, stdin=_validate.flag("stdin", stdin))

    def processes(self) -> list[buntime.Process]:
        """Return all processes started here with :meth:`start`, by any client, in order of their numbers."""
        from buntime.client import processes

        return processes.list_started(self._context, self.id)

    def wait_for_port(self, port: int, timeout: Optional[float] = 30.0) -> None:
        """Wait until something in the session accepts connections on ``127.0.0.1`` and this port.

        ``timeout`` is in seconds, ``None`` for no limit. When it is over, :class:`~buntime.WaitTimeoutError`
        (also a builtin ``TimeoutError``) is raised.
        """
        from buntime.client import processes

        processes.wait_for_port(self._context, self.id, port, timeout)

    def wait_for_http(
        self, port: int, path: str = "/", status: int = 200, timeout: Optional[float] = 30.0
    ) -> None:
        """Wait until a server on ``127.0.0.1`` and this port responds to ``GET path`` with ``status``.

        ``timeout`` is in seconds, ``None`` for no limit. When it is over, :class:`~buntime.WaitTimeoutError`
        is raised, with the last status. A server that accepts requests but does not respond is asked again
        after at most 20 seconds.
        """
        from buntime.client import fetch

        fetch.wait_for_http(self._context, self.id, port, path, status, timeout)

    def fetch(
        self,
        port: int,
        path: str = "/",
        *,
        method: str = "GET",
        headers: Optional[Mapping[str, str]] = None,
        body: Optional[Union[str, bytes]] = None,
        timeout: float = 30.0,
    ) -> buntime.FetchResponse:
        """Send an HTTP request to a server in the session, on ``127.0.0.1`` and this port.

        It is sent by a program in the session, so that it works for each port, needs no preview, and is
        recorded like other calls. Redirects are not followed. Bodies have at most 4 MiB each; ``timeout`` is
        in seconds. GET and HEAD are retried like reads, others never if the server may have received them.

        Raises:
            ConflictError: there was no response, with the code ``no_response``.
            WaitTimeoutError: there was no complete response in time.
            ResourceLimitError: the response is longer than 4 MiB.
            TypeError, ValueError: an argument is wrong; nothing was sent.
        """
        from buntime.client import fetch

        return fetch.fetch(
            self._context,
            self.id,
            port,
            path,
            method=method,
            headers=headers,
            body=body,
            timeout=timeout,
        )

    def call(
        self,
        function: str,
        /,
        *args: Any,
        timeout: Optional[int] = None,
        idempotent: bool = False,
        on_stdout: Optional[OnText] = None,
        on_stderr: Optional[OnText] = None,
        max_output: MaxOutput = "default",
    ) -> Any:
        """Call a JavaScript or TypeScript function here and return its return value, awaited.

        Arguments:
            function: the source of a function, such as ``"(a, b) => a + b"``; or an export of a file in the
                workspace, ``"./lib.ts#summarise"``, or ``"./lib.ts"`` for its default export.
            args: its arguments: ``None``, ``bool``, ``int``, ``float``, ``str``, ``bytes``, aware
                ``datetime``, ``list``, ``tuple``, ``set``, and ``dict`` with ``str`` keys.
            timeout: whole seconds that the call may take; by default the session's limit.
            idempotent: calling it twice does no harm, so it is retried like a read.
            on_stdout: called on this thread with each piece of its output as it arrives.
            on_stderr: the same for standard error.
            max_output: bytes of stdout and of stderr in the ``result`` of an error, or ``None`` for no bound;
                by default the client's ``max_output``. Callbacks receive all output; values have any size.

        The call ends when the function returns; anything still running in its process is stopped.

        Raises:
            JavaScriptError: the function raised an error, is not a function, or returned a value for which
                Python has none; ``result`` has its output.
            ExecutionTimeoutError: it reached the time limit.
            ExecutionFailedError: its process ended before it returned.
            SessionFileNotFoundError: the workspace does not have the file.
            TypeError, ValueError: an argument has no JavaScript value; nothing was sent.
        """
        from buntime.client.functions import Functions

        return Functions(self._context).call(
            self.id,
            function,
            args,
            timeout=timeout,
            session_limit=self._time_limit,
            idempotent=idempotent,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
            max_output=max_output,
        )

    def repl(self, *, env: Optional[Mapping[str, str]] = None) -> buntime.Repl:
        """Return a REPL: evaluations that keep variables, functions and imports; a context manager.

        ``env`` are environment variables of its process. Nothing is sent before its first evaluation.
        """
        from buntime.client.repl import Repl

        return Repl(self._context, self.id, self._time_limit, env)

    def snapshot(self, path: Archive, *, ignore: Union[str, Iterable[str]] = ()) -> buntime.SnapshotResult:
        """Save the workspace as a tar archive; return the counts, and the paths that it lacks.

        ``path`` is a local file, which appears when it is complete, or an open binary file; a name that ends
        with ``.gz`` or ``.tgz`` is compressed. ``ignore`` is as for :meth:`SessionFiles.upload`. Files are
        read a piece at a time; one that changes meanwhile raises :class:`~buntime.ConflictError`.
        """
        from buntime.client.snapshots import Snapshots

        return Snapshots(self._context, self.id).save(path, ignore)

    def restore(self, path: Archive) -> buntime.SnapshotResult:
        """Write the files, folders and links of a tar archive to the workspace; other files stay.

        ``ValueError``, before anything is sent, for an archive that is damaged or has a member that leads
        outside, a hard link or a device. An open file that cannot be read twice is checked while it is sent.
        """
        from buntime.client.snapshots import Snapshots

        return Snapshots(self._context, self.id).restore(path)

    def renew(
        self,
        ttl: Optional[int] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        resource_limits: Optional[ResourceLimits] = None,
    ) -> Session:
        """Return a new session with the files of this one, but without its processes.

        The arguments are those of :meth:`Sessions.create`. This session stays as it is. Files that cannot be
        copied are logged.
        """
        from buntime.client.creation import create_session
        from buntime.client.snapshots import Snapshots

        created, created_at = create_session(self._context, ttl, metadata, resource_limits)
        session = Session(self._context, created, owned=True, created_monotonic=created_at)
        with delete_on_error(session):
            skipped = Snapshots(self._context, self.id).copy_to(session.id).skipped
        if skipped:
            logger().warning(
                "session %s lacks %d files of %s: %s", session.id, len(skipped), self.id, skipped
            )
        return session

    def kill(self, pid: int) -> KillResult:
        """Kill one process; see :meth:`Buntime.kill <buntime.Buntime.kill>`."""
        return self._context.executions.kill(self.id, _validate.count("pid", pid))

    def kill_all(self) -> KillResult:
        """Kill every process; see :meth:`Buntime.kill_all <buntime.Buntime.kill_all>`."""
        return self._context.executions.kill(self.id, None)

    def info(self) -> SessionInfo:
        """Return the session's current state. An attached session then has its dates."""
        info = self._context.sessions.info(self.id)
        if self._created.expires_at is None:
            self._created = attrs.evolve(
                self._created, created_at=info.created_at, expires_at=info.expires_at
            )
        return info

    @property
    def remaining(self) -> Optional[float]:
        """Seconds until it expires, then 0; ``None`` if unknown.

        For an attached session it is unknown until :meth:`info`, and depends on this machine's date.
        """
        if self.expires_at is None:
            return None
        caller = self._context.caller
        if self._created_monotonic is None or self.created_at is None:
            return max(0.0, self.expires_at.timestamp() - caller.time())
        lifetime = (self.expires_at - self.created_at).total_seconds()
        return max(0.0, lifetime - (caller.monotonic() - self._created_monotonic))

    def stay_awake(self, *, interval: float = 60.0) -> buntime.StayAwake:
        """Return a context manager that keeps the session from falling asleep while its block runs.

        ``interval`` is the number of seconds between pings, at most 240: a session is idle after 300 s
        without a request, and asleep, with its processes killed, after 1,800 s. Each ping is an execution and
        counts as a request. Nothing extends a session's ``ttl``; see :attr:`remaining`.
        """
        from buntime.client.keepalive import StayAwake

        background = self._context.over(self._context.caller.for_background(deadline=_PING_DEADLINE))
        return StayAwake(background, self.id, interval=interval)

    def delete(self) -> None:
        """Delete it with its files and processes. Leaving its block will not delete it again."""
        self._context.delete_session(self.id)
        self._owned = False


@contextmanager
def delete_on_error(session: Session) -> Iterator[None]:
    """Delete a session whose files cannot be written."""
    try:
        yield
    except BaseException as error:
        session._leave_block(error)
        raise


export("buntime", Session)
