"""The client."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional

import attrs

from buntime import _validate
from buntime._http import Pairs, Secret, Transport
from buntime._support.forks import reset_after_fork
from buntime._support.log import logger
from buntime.client import settings
from buntime.client.owned import OwnedSessions
from buntime.engine.caller import Caller, SharedState
from buntime.engine.retries import RetryPolicy
from buntime.errors import BuntimeError, SessionNotFoundError

# What a call needs is imported by the first: a program may import this and make none.
if TYPE_CHECKING:
    from buntime.calls.executions import ExecuteStream, Executions, OnText
    from buntime.client.files import Files
    from buntime.client.sessions import Sessions
    from buntime.models import (
        APIResponse,
        ExecuteRequest,
        ExecuteResult,
        FilesArgument,
        KillResult,
        RateLimit,
    )


class _Unset:
    """What an option is where it is not given, as ``None`` has a meaning of its own."""


_UNSET = _Unset()


class Buntime:
    """A client of buntime.sh. Use it from any thread; close it, or use it as a context manager.

    Arguments:
        api_key: the key of your account; ``BUNTIME_API_KEY`` where left out. Needed only where the client
            makes an HTTP transport.
        base_url: of the service; ``BUNTIME_BASE_URL`` where left out, else the live service.
        timeout: seconds of one wait for the network, to connect or for the next bytes; ``None`` waits for
            ever. An execution may take its own time limit longer.
        deadline: seconds for a whole call with its retries; ``None`` for no end.
        max_retries: retries of a call whose failure allows one.
        retry_delay: seconds; a back-off is random below ``min(30, retry_delay * 2 ** n)``.
        on_retry: called with the error and the number of the failed attempt, from 1, before each back-off.
        transport: where requests go; ``BUNTIME_TRANSPORT`` (``http``, ``local``) where left out. The client
            closes it.
        headers: sent with every call.
        delete_on_close: delete the sessions this client created, when it is closed; after a fork, each
            process its own.

    Over an :class:`~buntime.transport.HTTPTransport` it pickles, and has a transport of its own in the other
    process. The key stays behind: loading takes ``BUNTIME_API_KEY`` and raises
    :class:`~buntime.ConfigurationError` without it. Sessions pickle as attached.

    Raises :class:`~buntime.ConfigurationError` for a setting that is missing or wrong.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        timeout: float | None = 30.0,
        deadline: float | None = None,
        max_retries: int = 2,
        retry_delay: float = 1.0,
        on_retry: Callable[[BuntimeError, int], object] | None = None,
        transport: Transport | None = None,
        headers: Mapping[str, str] | None = None,
        delete_on_close: bool = False,
    ) -> None:
        # Rebound first, so that no traceback with local variables shows a credential.
        api_key = Secret(api_key) if isinstance(api_key, str) else api_key
        headers = settings.hidden(headers)
        api_key = settings.api_key(api_key)
        policy = RetryPolicy(
            settings.retries(max_retries),
            settings.seconds("retry_delay", retry_delay, zero=True) or 0.0,
        )
        bounds: dict[str, Any] = {
            "timeout": settings.seconds("timeout", timeout),
            "deadline": settings.seconds("deadline", deadline),
        }
        settings.callback("on_retry", on_retry)
        deletes = settings.flag("delete_on_close", delete_on_close)
        pairs = settings.headers(headers, api_key)
        self._caller = Caller(
            settings.transport(base_url, transport, has_key=_authorized(pairs)),
            headers=pairs,
            policy=policy,
            on_retry=on_retry,
            seen=SharedState(),
            **bounds,
        )
        self._start(created=OwnedSessions() if deletes else None, owns_transport=True)

    def _start(self, *, created: Optional[OwnedSessions], owns_transport: bool) -> None:
        self._created = created
        self._owns_transport = owns_transport
        self._pid = os.getpid()
        self._closing = reset_after_fork(threading.RLock())
        self._made_executions: Optional[Executions] = None

    def __repr__(self) -> str:
        # A traceback with local variables shows a client whose construction failed, too.
        caller = getattr(self, "_caller", None)
        return f"<Buntime over {caller.transport!r}>" if caller else "<Buntime, not made>"

    def __copy__(self) -> Buntime:
        return self.with_options()

    def __getstate__(self) -> dict[str, Any]:
        return {"caller": self._caller, "delete_on_close": self._created is not None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._caller = state["caller"]
        self._start(created=OwnedSessions() if state["delete_on_close"] else None, owns_transport=True)

    def __enter__(self) -> Buntime:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Exception as failure:
            if error is None:
                raise
            logger().warning("the client was not closed: %s", failure)

    def execute(
        self,
        request: ExecuteRequest | None = None,
        *,
        session_id: str | None = None,
        code: str | None = None,
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
        """Run code or a shell command in a session and return what came of it.

        The arguments are those of :class:`~buntime.ExecuteRequest`, which can be passed in their place. A
        non-zero exit code is a result, not an error, unless ``check`` is true.

        An execution whose answer is lost is not repeated, unless ``idempotent`` says that it may be: the
        error has ``maybe_executed``.

        ``on_stdout`` and ``on_stderr`` are called with each piece of output as it comes, on this thread; the
        result is the same as without them. What one raises ends the wait and passes through: the connection
        is closed, the execution itself goes on. With them nothing is retried once output has come.

        Raises:
            ExecutionFailedError: with ``check``, for a non-zero exit code.
            ExecutionTimeoutError: with ``check``, at the time limit; always where the service answers 408.
            SessionNotFoundError: the session has ended.
            APIStatusError: the service refused it otherwise.
            APIConnectionError: no answer arrived.
            TypeError, ValueError: an argument is wrong; nothing was sent.
        """
        executions = self._executions
        return executions.watch(
            executions.request(
                request,
                session_id,
                code=code,
                command=command,
                files=files,
                env=env,
                timeout=timeout,
                working_dir=working_dir,
                check=check,
                idempotent=idempotent,
            ),
            on_stdout=on_stdout,
            on_stderr=on_stderr,
        )

    def stream(
        self,
        request: ExecuteRequest | None = None,
        *,
        session_id: str | None = None,
        code: str | None = None,
        command: str | None = None,
        files: FilesArgument | None = None,
        env: Mapping[str, str] | None = None,
        timeout: int | None = None,
        working_dir: str | None = None,
        check: bool = False,
        idempotent: bool = False,
    ) -> ExecuteStream:
        """Run code or a shell command and return its output as it comes.

        Arguments and errors are those of :meth:`execute`; iterating the stream raises them too. With
        ``idempotent`` the call waits for the first bytes, up to which it is retried.
        """
        executions = self._executions
        return executions.stream(
            executions.request(
                request,
                session_id,
                code=code,
                command=command,
                files=files,
                env=env,
                timeout=timeout,
                working_dir=working_dir,
                check=check,
                idempotent=idempotent,
            )
        )

    def kill(self, *, session_id: str, pid: int) -> KillResult:
        """End one process of a session. Raises ``SessionNotFoundError`` and the other API errors."""
        return self._executions.kill(_validate.session_id(session_id), _validate.pid(pid))

    def kill_all(self, *, session_id: str) -> KillResult:
        """End every process of a session. Raises ``SessionNotFoundError`` and the other API errors."""
        return self._executions.kill(_validate.session_id(session_id), None)

    def request(
        self,
        method: str,
        path: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
    ) -> APIResponse:
        """Make a call that has no method here yet, and return its answer.

        ``params`` are the query. ``None`` is left out, a list repeats the name once for each item, and a bool
        is sent as ``true`` or ``false``.

        ``GET``, ``HEAD`` and ``DELETE`` are retried as reads are, other methods as an execution is. Raises
        what every call raises: an error status is an :class:`~buntime.APIStatusError`.
        """
        from buntime.wire import requests, responses

        method = _validate.text("method", method).upper()
        if not method.isalpha():
            raise ValueError(f"method is {method!r}, not the name of an HTTP method")
        if not _validate.text("path", path).startswith("/") or set(path) & set("?#\r\n\0 "):
            raise ValueError(
                f"path is {path!r}; it starts with '/' and has no query (use params=) and no space"
            )
        call = requests.custom(method, path, json, params)
        return self._caller.call(call, responses.api_response, idempotent=method in {"GET", "HEAD", "DELETE"})

    @property
    def _executions(self) -> Executions:
        executions = self._made_executions
        if executions is None:
            from buntime.calls.executions import Executions

            executions = self._made_executions = Executions(self._caller)
        return executions

    @property
    def sessions(self) -> Sessions:
        """Create, inspect, attach to and delete sessions: :class:`~buntime.client.sessions.Sessions`."""
        from buntime.client.sessions import Sessions

        return Sessions(self._caller, self._created)

    @property
    def files(self) -> Files:
        """The files of any session: :class:`~buntime.client.files.Files`."""
        from buntime.client.files import Files

        return Files(self._caller)

    @property
    def rate_limit(self) -> RateLimit | None:
        """The rate limit as the last answer that named one told it, or ``None``."""
        from buntime.wire.responses import rate_limit

        return rate_limit(self._caller.seen.headers)

    def with_options(
        self,
        *,
        timeout: float | _Unset | None = _UNSET,
        deadline: float | _Unset | None = _UNSET,
        max_retries: int | _Unset = _UNSET,
        retry_delay: float | _Unset = _UNSET,
        on_retry: Callable[[BuntimeError, int], object] | _Unset | None = _UNSET,
        headers: Mapping[str, str] | None = None,
    ) -> Buntime:
        """Return a client with other options over the same transport, which it does not close.

        ``headers`` are added to those of this client. Sessions it creates are deleted by this client's
        ``delete_on_close``.
        """
        own = self._caller
        policy = own.policy
        if not isinstance(max_retries, _Unset):
            policy = attrs.evolve(policy, max_retries=settings.retries(max_retries))
        if not isinstance(retry_delay, _Unset):
            delay = settings.seconds("retry_delay", retry_delay, zero=True) or 0.0
            policy = attrs.evolve(policy, retry_delay=delay)
        if not isinstance(on_retry, _Unset):
            settings.callback("on_retry", on_retry)
        headers = settings.hidden(headers)
        added = settings.headers(headers, None)
        names = {name.lower() for name, _ in added}
        other = Buntime.__new__(Buntime)
        other._caller = own.evolve(
            headers=(*(pair for pair in own.headers if pair[0].lower() not in names), *added),
            timeout=own.timeout if isinstance(timeout, _Unset) else settings.seconds("timeout", timeout),
            deadline=own.deadline if isinstance(deadline, _Unset) else settings.seconds("deadline", deadline),
            policy=policy,
            on_retry=own.on_retry if isinstance(on_retry, _Unset) else on_retry,
        )
        other._start(created=self._created, owns_transport=False)
        return other

    def close(self) -> None:
        """Close the transport; first, with ``delete_on_close``, delete the sessions created. Idempotent.

        In a process forked from the one that made the client, it deletes the sessions that were created
        there, and leaves the transport as it is.
        """
        if not self._owns_transport:
            return
        with self._closing:
            try:
                self._delete_created()
            finally:
                if os.getpid() == self._pid:
                    self._caller.transport.close()

    def _delete_created(self) -> None:
        """Delete every session created, and raise the first error after the last."""
        failed: BuntimeError | None = None
        while self._created is not None and (session_id := self._created.take()) is not None:
            try:
                self.sessions.delete(session_id)
            except SessionNotFoundError:
                continue
            except BuntimeError as error:
                failed = failed or error
        if failed is not None:
            raise failed


def _authorized(headers: Pairs) -> bool:
    return any(name.lower() == "authorization" for name, _ in headers)
