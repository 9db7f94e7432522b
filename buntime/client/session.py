"""One session: a sandbox as an object."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

import attrs

from buntime import _validate
from buntime._support.log import logger
from buntime.calls.executions import ExecuteStream, Executions, OnText
from buntime.errors import SessionNotFoundError
from buntime.models import (
    ExecuteRequest,
    ExecuteResult,
    FilesArgument,
    KillResult,
    ResourceLimits,
    SessionInfo,
)
from buntime.wire.responses import CreatedSession

if TYPE_CHECKING:
    from buntime.client.files import SessionFiles
    from buntime.client.keepalive import StayAwake
    from buntime.client.processes import Process
    from buntime.client.sessions import Sessions
    from buntime.helpers.runner import Helpers

_PING_DEADLINE = 10.0


class Session:
    """One sandbox: a workspace of files in which code runs.

    Made by ``client.sessions``: :meth:`create <buntime.client.sessions.Sessions.create>` and
    :meth:`attach <buntime.client.sessions.Sessions.attach>`. As a context manager it deletes a created session on
    exit, also when the block raises, without masking what the block raised.
    """

    def __init__(
        self,
        sessions: Sessions,
        made: CreatedSession,
        *,
        owned: bool,
        born: Optional[float] = None,
    ) -> None:
        self._born = born
        self._sessions = sessions
        self._made = made
        self._owned = owned
        self._pid = os.getpid()

    def __repr__(self) -> str:
        return f"<Session {self.id}>"

    def __getstate__(self) -> dict[str, Any]:
        return {"sessions": self._sessions, "made": self._made}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["sessions"], state["made"], owned=False)  # type: ignore[misc]  # anew

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not self._owned or os.getpid() != self._pid:
            return
        try:
            self.delete()
        except SessionNotFoundError:
            logger().debug("session %s had ended before it was deleted", self.id)
        except Exception as failure:
            if error is None:
                raise
            logger().warning("session %s was not deleted: %s", self.id, failure)

    @property
    def id(self) -> str:
        """The id that the service gave it."""
        return self._made.id

    @property
    def files(self) -> SessionFiles:
        """The files of the session: :class:`~buntime.client.files.SessionFiles`."""
        from buntime.client.files import SessionFiles

        return SessionFiles(self._sessions._files, self.id)

    @property
    def created_at(self) -> datetime | None:
        """When it was created, in UTC; ``None`` on an attached session until :meth:`info`."""
        return self._made.created_at

    @property
    def expires_at(self) -> datetime | None:
        """When it ends by itself, in UTC; ``None`` on an attached session until :meth:`info`."""
        return self._made.expires_at

    @property
    def preview_url(self) -> str | None:
        """Where a server on the session's port 8080 is reached; ``None`` on an attached session."""
        return self._made.preview_url

    @property
    def resource_limits(self) -> ResourceLimits | None:
        """The session's limits; ``None`` on an attached session."""
        return self._made.resource_limits

    def execute(
        self,
        code: str | ExecuteRequest | None = None,
        *,
        command: str | None = None,
        files: FilesArgument | None = None,
        env: Mapping[str, str] | None = None,
        timeout: int | None = None,
        working_dir: str | None = None,
        check: bool = False,
        idempotent: bool = False,
        on_stdout: OnText | None = None,
        on_stderr: OnText | None = None,
    ) -> ExecuteResult:
        """Run code or a shell command here; see :meth:`Buntime.execute <buntime.Buntime.execute>`."""
        request = self._request(
            code,
            command=command,
            files=files,
            env=env,
            timeout=timeout,
            working_dir=working_dir,
            check=check,
            idempotent=idempotent,
        )
        return self._sessions._executions.watch(
            request, self._limit(), on_stdout=on_stdout, on_stderr=on_stderr
        )

    def stream(
        self,
        code: str | ExecuteRequest | None = None,
        *,
        command: str | None = None,
        files: FilesArgument | None = None,
        env: Mapping[str, str] | None = None,
        timeout: int | None = None,
        working_dir: str | None = None,
        check: bool = False,
        idempotent: bool = False,
    ) -> ExecuteStream:
        """Run code or a shell command here and return its output as it comes.

        See :meth:`Buntime.stream <buntime.Buntime.stream>`.
        """
        request = self._request(
            code,
            command=command,
            files=files,
            env=env,
            timeout=timeout,
            working_dir=working_dir,
            check=check,
            idempotent=idempotent,
        )
        return self._sessions._executions.stream(request, self._limit())

    def start(
        self,
        code: str | None = None,
        *,
        command: str | None = None,
        env: Mapping[str, str] | None = None,
        working_dir: str | None = None,
    ) -> Process:
        """Start code or a shell command, and leave it running; return once it runs.

        The arguments are those of :class:`~buntime.ExecuteRequest`; a command's standard input is
        empty. It has a process group of its own, and no time limit but the session's life. A start that
        fails raises and leaves nothing behind; one whose answer is lost is not repeated, and the error has
        ``maybe_executed``.
        """
        from buntime.client import processes

        request = ExecuteRequest(code, command=command, env=env, working_dir=working_dir)
        return processes.start(self._helpers, self.id, request)

    def processes(self) -> list[Process]:
        """Return what was started here with :meth:`start`, by any client, by number; the ended ones too."""
        from buntime.client import processes

        return processes.started(self._helpers, self.id)

    def wait_for_port(self, port: int, timeout: float | None = 30.0) -> None:
        """Wait until something in the session accepts connections on ``127.0.0.1`` and this port.

        ``timeout`` is in seconds, ``None`` for no end; :class:`~buntime.WaitTimeoutError` (also a builtin
        ``TimeoutError``) where nothing does by then.
        """
        from buntime.client import processes

        processes.wait_for_port(self._helpers, self.id, port, timeout)

    @property
    def _helpers(self) -> Helpers:
        from buntime.helpers.runner import Helpers

        return Helpers(self._sessions._caller)

    def call(
        self,
        function: str,
        /,
        *args: Any,
        timeout: int | None = None,
        idempotent: bool = False,
        on_stdout: OnText | None = None,
        on_stderr: OnText | None = None,
    ) -> Any:
        """Call a JavaScript or TypeScript function here and return what it returns, awaited.

        Arguments:
            function: the source of a function, ``"(a, b) => a + b"``; or one that a file of the workspace
                exports, ``"./lib.ts#summarise"``, ``"./lib.ts"`` for its default export.
            args: what it is called with: ``None``, ``bool``, ``int``, ``float``, ``str``, ``bytes``, aware
                ``datetime``, ``list``, ``tuple``, ``set``, and ``dict`` with ``str`` keys.
            timeout: whole seconds the call may take; the session's limit where left out.
            idempotent: calling it twice does no harm, so it is retried as a read is.
            on_stdout: called with each piece of what it prints, as it comes, on this thread.
            on_stderr: the same for standard error.

        The call ends when the function does: what it left running in its process ends with it.

        Raises:
            JavaScriptError: the function threw, is no function, or returned what Python has no value for;
                ``result`` has what it printed.
            ExecutionTimeoutError: it reached the time limit.
            ExecutionFailedError: its process ended before it returned.
            SessionFileNotFoundError: the workspace has no such file.
            TypeError, ValueError: an argument has no JavaScript value; nothing was sent.
        """
        from buntime.client.functions import Functions

        return Functions(self._sessions._caller).call(
            self.id,
            function,
            args,
            timeout=timeout,
            limit=self._limit(),
            idempotent=idempotent,
            on_stdout=on_stdout,
            on_stderr=on_stderr,
        )

    def _request(self, code: str | ExecuteRequest | None, **arguments: Any) -> ExecuteRequest:
        if isinstance(code, ExecuteRequest):
            return Executions.request(code, self.id, **arguments)
        return Executions.request(None, self.id, code=code, **arguments)

    def _limit(self) -> int | None:
        return self.resource_limits.timeout if self.resource_limits else None

    def kill(self, pid: int) -> KillResult:
        """End one process; see :meth:`Buntime.kill <buntime.Buntime.kill>`."""
        return self._sessions._executions.kill(self.id, _validate.pid(pid))

    def kill_all(self) -> KillResult:
        """End every process; see :meth:`Buntime.kill_all <buntime.Buntime.kill_all>`."""
        return self._sessions._executions.kill(self.id, None)

    def info(self) -> SessionInfo:
        """Return what the service says of this session now; an attached one then knows its dates."""
        info = self._sessions.info(self.id)
        if self._made.expires_at is None:
            self._made = attrs.evolve(self._made, created_at=info.created_at, expires_at=info.expires_at)
        return info

    @property
    def remaining(self) -> float | None:
        """Seconds until it ends by itself, 0 from then on; ``None`` where that is not known.

        On an attached session :meth:`info` makes it known, and it goes by this machine's date.
        """
        if self.expires_at is None:
            return None
        caller = self._sessions._caller
        if self._born is None or self.created_at is None:
            left = self.expires_at.timestamp() - caller.time()
        else:
            lifetime = (self.expires_at - self.created_at).total_seconds()
            left = lifetime - (caller.monotonic() - self._born)
        return max(0.0, left)

    def stay_awake(self, *, interval: float = 60.0) -> StayAwake:
        """Return a context manager that keeps the session from falling asleep while its block runs.

        ``interval`` is how many seconds pass between pings, at most 240: a session is idle after 300 without
        a request, and asleep, its processes ended, after 1,800. Each ping is an execution and counts as a
        request. Nothing extends a session's ``ttl``; see :attr:`remaining`.
        """
        from buntime.client.keepalive import StayAwake
        from buntime.helpers.runner import Helpers

        caller = self._sessions._caller.for_background(deadline=_PING_DEADLINE)
        helpers, name = Helpers(caller), self.id
        return StayAwake(
            name,
            lambda: helpers.run(name, "ping", idempotent=True),
            interval=interval,
            transport=caller.transport,
        )

    def delete(self) -> None:
        """Delete it with its files and processes. Leaving the block then deletes nothing more."""
        self._sessions.delete(self.id)
        self._owned = False
