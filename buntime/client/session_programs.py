"""The programs that run in a session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional, Union, overload

import buntime
from buntime import _validate
from buntime._support.other_names import check_arguments, checks_arguments, refuse_positional
from buntime._support.typing import OnText, Unpack
from buntime.client.context import Context
from buntime.client.options import check_call, make_request
from buntime.models import (
    CallbackOptions,
    ExecuteOptions,
    ExecuteRequest,
    ExecuteResult,
    KillResult,
    MaxOutput,
    ResourceLimits,
    WatchOptions,
)
from buntime.wire.responses import CreatedSession

_BY_NAME = ("command", "env", "timeout", "working_dir")


@checks_arguments
class SessionPrograms:
    """The half of :class:`~buntime.Session` that executes code, starts processes and reaches their ports."""

    _context: Context
    _created: CreatedSession

    @property
    def id(self) -> str:
        """The id, assigned by the service."""
        return self._created.id

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
        check_call("Session", "execute", others, options, _BY_NAME)
        with self._context.caller.one_deadline():
            request = self._request(code, command, options)
            return self._context.executions.watch(
                request, self._time_limit, on_stdout=on_stdout, on_stderr=on_stderr
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
        check_call("Session", "stream", others, options, _BY_NAME)
        with self._context.caller.one_deadline():
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

        refuse_positional("Session.start", 1 + len(others), 1, ("command", "env", "working_dir", "stdin"))
        check_arguments("Session.start", unknown, ("command", "env", "working_dir", "stdin"))
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

    def kill(self, pid: int) -> KillResult:
        """Kill one process; see :meth:`Buntime.kill <buntime.Buntime.kill>`."""
        return self._context.executions.kill(self.id, _validate.count("pid", pid))

    def kill_all(self) -> KillResult:
        """Kill every process; see :meth:`Buntime.kill_all <buntime.Buntime.kill_all>`."""
        return self._context.executions.kill(self.id, None)
