"""The client."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable, Optional, overload

import buntime
from buntime import _validate
from buntime._http import Secret, Transport
from buntime._support.closing import ClosesWithBlock, close_after
from buntime._support.export import export
from buntime._support.forks import reset_after_fork
from buntime._support.other_names import checks_arguments
from buntime._support.owner import Owner
from buntime._support.typing import OnText, Unpack
from buntime.client import settings
from buntime.client.context import BUNTIME_SH, Context, portable_state, restored_context
from buntime.client.other_names import missing_attribute
from buntime.client.owned import OwnedSessions
from buntime.client.settings import ClientOptions
from buntime.errors import BuntimeError

if TYPE_CHECKING:
    from buntime.models import CallbackOptions, WatchOptions

_BY_NAME = ("session_id", "code", "command", "timeout")


@checks_arguments
class Buntime(ClosesWithBlock):
    """A client of buntime.sh. It can be used from any thread; close it, or use it as a context manager.

    Arguments:
        api_key: the key of your account; by default ``BUNTIME_API_KEY``. Only needed if the client creates an
            HTTP transport. If it is not set when the client is made, the first call reads it.
        base_url: of the service; by default ``BUNTIME_BASE_URL``, else the live service.
        timeout: seconds of a single wait for the network, to connect or for the next bytes, at most 3,600;
            ``None`` for no limit. An execution may take its own time limit longer.
        deadline: seconds for a complete call with its retries; ``None`` for no limit.
        max_retries: retries of a call, if its failure allows any.
        retry_delay: seconds; a back-off is random below ``min(30, retry_delay * 2 ** n)``.
        on_retry: called before each back-off with the error and the number of the failed attempt, from 1.
        max_output: bytes of stdout and of stderr that a result has at most, unless a call sets its own bound;
            ``None`` for no bound. See :class:`~buntime.ExecuteResult`.
        transport: sends the requests; by default the one that ``BUNTIME_TRANSPORT`` names (``http``,
            ``local``). The client closes it.
        headers: sent with every call.
        delete_on_close: delete the sessions this client created when it is closed. After a fork, each process
            deletes its own.

    A client over an :class:`~buntime.transport.HTTPTransport` pickles, and uses a new transport in the other
    process. Its key is not pickled: loading reads ``BUNTIME_API_KEY``, and raises
    :class:`~buntime.ConfigurationError` if it is not set. Sessions pickle as attached sessions.

    Raises :class:`~buntime.ConfigurationError` for a setting that is missing or wrong.
    """

    def __init__(
        self,
        api_key: Optional[str] = None,
        *,
        base_url: Optional[str] = None,
        timeout: Optional[float] = 30.0,
        deadline: Optional[float] = None,
        max_retries: int = 2,
        retry_delay: float = 1.0,
        on_retry: Optional[Callable[[BuntimeError, int], object]] = None,
        max_output: Optional[int] = 10_000_000,
        transport: Optional[Transport] = None,
        headers: Optional[Mapping[str, str]] = None,
        delete_on_close: bool = False,
    ) -> None:
        # Rebound first, so that no traceback with local variables shows a credential.
        api_key = Secret(api_key) if isinstance(api_key, str) else api_key
        headers = settings.as_secrets(headers)
        settings.configure_logging()
        deletes = settings.checked(_validate.flag, "delete_on_close", delete_on_close)
        options: ClientOptions = {
            "timeout": timeout,
            "deadline": deadline,
            "max_retries": max_retries,
            "retry_delay": retry_delay,
            "on_retry": on_retry,
            "max_output": max_output,
        }
        caller = settings.new_caller(BUNTIME_SH, api_key, headers, base_url, transport, options)
        self._start(Context(caller, OwnedSessions() if deletes else None), owns_transport=True)

    def _start(self, context: Context, *, owns_transport: bool) -> Buntime:
        self._context = context
        self._owns_transport = owns_transport
        self._owner = Owner()
        self._closing = reset_after_fork(threading.RLock())
        return self

    def __repr__(self) -> str:
        # A traceback with local variables also shows a client whose construction failed.
        context = getattr(self, "_context", None)
        return f"<Buntime over {context.caller.transport!r}>" if context else "<Buntime, not made>"

    if not TYPE_CHECKING:
        __getattr__ = missing_attribute

    def __copy__(self) -> Buntime:
        return self.with_options()

    def __deepcopy__(self, memo: dict[int, Any]) -> Buntime:
        return self.with_options()

    def __getstate__(self) -> dict[str, Any]:
        return portable_state(self._context)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start(restored_context(state), owns_transport=True)

    def _leave_block(self, error: Optional[BaseException]) -> None:
        context = self._context.for_cleanup(error)
        close_after(error, lambda: self._close(context, may_repeat=False), "the client was not closed")

    @overload
    def execute(
        self,
        request: buntime.ExecuteRequest,
        *,
        session_id: Optional[str] = None,
        **callbacks: Unpack[CallbackOptions],
    ) -> buntime.ExecuteResult: ...
    @overload
    def execute(
        self, *, session_id: str, code: str, **options: Unpack[WatchOptions]
    ) -> buntime.ExecuteResult: ...
    @overload
    def execute(
        self, *, session_id: str, command: str, **options: Unpack[WatchOptions]
    ) -> buntime.ExecuteResult: ...
    def execute(
        self,
        request: Optional[buntime.ExecuteRequest] = None,
        *others: object,
        session_id: Optional[str] = None,
        code: Optional[str] = None,
        command: Optional[str] = None,
        on_stdout: Optional[OnText] = None,
        on_stderr: Optional[OnText] = None,
        **options: Unpack[buntime.ExecuteOptions],
    ) -> buntime.ExecuteResult:
        """Run code or a shell command in a session and return the result.

        Pass a complete :class:`~buntime.ExecuteRequest`, or its arguments. A non-zero exit code is a result,
        not an error, unless ``check`` is true.

        If the response is lost, the execution is not repeated unless ``idempotent`` is true: the error has
        ``maybe_executed``.

        ``on_stdout`` and ``on_stderr`` are called on this thread with each piece of output as it arrives. The
        result is the same as without them. An exception from a callback ends the wait and is raised: the
        connection is closed, and the execution continues. With a callback, nothing is retried once output has
        arrived.

        Raises:
            ExecutionFailedError: with ``check``, for a non-zero exit code.
            ExecutionTimeoutError: with ``check``, at the time limit; always if the service returns 408.
            SessionNotFoundError: the session has ended.
            APIStatusError: the service returned another error.
            APIConnectionError: no response arrived.
            TypeError, ValueError: an argument is wrong; nothing was sent.
        """
        from buntime.client.options import check_call, make_request

        check_call("Buntime", "execute", others, options, _BY_NAME)
        with self._context.caller.one_deadline():
            complete = make_request(self._context, request, session_id, code, command, options)
            return self._context.executions.watch(complete, on_stdout=on_stdout, on_stderr=on_stderr)

    @overload
    def stream(
        self, request: buntime.ExecuteRequest, *, session_id: Optional[str] = None
    ) -> buntime.ExecuteStream: ...
    @overload
    def stream(
        self, *, session_id: str, code: str, **options: Unpack[buntime.ExecuteOptions]
    ) -> buntime.ExecuteStream: ...
    @overload
    def stream(
        self, *, session_id: str, command: str, **options: Unpack[buntime.ExecuteOptions]
    ) -> buntime.ExecuteStream: ...
    def stream(
        self,
        request: Optional[buntime.ExecuteRequest] = None,
        *others: object,
        session_id: Optional[str] = None,
        code: Optional[str] = None,
        command: Optional[str] = None,
        **options: Unpack[buntime.ExecuteOptions],
    ) -> buntime.ExecuteStream:
        """Run code or a shell command and return its output as it arrives.

        Arguments and errors are those of :meth:`execute`; iterating the stream raises them too. With
        ``idempotent`` the call waits for the first bytes; until then it is retried.
        """
        from buntime.client.options import check_call, make_request

        check_call("Buntime", "stream", others, options, _BY_NAME)
        with self._context.caller.one_deadline():
            complete = make_request(self._context, request, session_id, code, command, options)
            return self._context.executions.stream(complete)

    def kill(self, *, session_id: str, pid: int) -> buntime.KillResult:
        """Kill one process of a session. Raises ``SessionNotFoundError`` and the other API errors."""
        return self._context.executions.kill(_validate.session_id(session_id), _validate.count("pid", pid))

    def kill_all(self, *, session_id: str) -> buntime.KillResult:
        """Kill every process of a session. Raises ``SessionNotFoundError`` and the other API errors."""
        return self._context.executions.kill(_validate.session_id(session_id), None)

    def request(
        self, method: str, path: str, json: Any = None, params: Optional[Mapping[str, Any]] = None
    ) -> buntime.APIResponse:
        """Make a call for which there is no method here, and return its response.

        ``params`` are the query: ``None`` is omitted, a list repeats the name for each item, and a bool is
        sent as ``true`` or ``false``.

        ``GET``, ``HEAD`` and ``DELETE`` are retried like reads, other methods like executions. Raises the
        same errors as every call: an error status is an :class:`~buntime.APIStatusError`.
        """
        from buntime.wire import requests, responses

        call = requests.custom(method, path, json, params)
        idempotent = call.method in {"GET", "HEAD", "DELETE"}
        return self._context.caller.call(call, responses.decode_any, idempotent=idempotent)

    @property
    def sessions(self) -> buntime.Sessions:
        """Create, inspect, attach to and delete sessions: :class:`~buntime.Sessions`."""
        from buntime.client.sessions import Sessions

        return Sessions(self._context)

    @property
    def files(self) -> buntime.Files:
        """The files of any session: :class:`~buntime.Files`."""
        from buntime.client.files_by_id import Files

        return Files(self._context)

    @property
    def rate_limit(self) -> Optional[buntime.RateLimit]:
        """The rate limit in the latest response that had one, or ``None``."""
        from buntime.wire.responses import rate_limit

        return rate_limit(self._context.caller.shared.rate_limit_headers)

    def with_options(
        self, *, headers: Optional[Mapping[str, str]] = None, **options: Unpack[ClientOptions]
    ) -> Buntime:
        """Return a client with other options over the same transport, which it does not close.

        The options are ``timeout``, ``deadline``, ``max_retries``, ``retry_delay``, ``on_retry`` and
        ``max_output``. ``headers`` are added to those of this client. Sessions that it creates are deleted by
        this client's ``delete_on_close``.
        """
        headers = settings.as_secrets(headers)
        caller = self._context.caller.with_headers(settings.header_pairs(headers, None))
        caller = caller.evolve(**settings.caller_options(options, caller.policy))
        return object.__new__(type(self))._start(Context(caller, self._context.owned), owns_transport=False)

    def close(self) -> None:
        """Close the transport; with ``delete_on_close``, first delete the sessions created. Idempotent.

        If a deletion fails, its error is raised after the others were tried, and the transport stays open:
        closing again tries it again. The end of the client's block closes the transport in any case.

        In a process forked from the one that created the client, it deletes the sessions that were created in
        that process, and does not close the transport.
        """
        self._close(self._context, may_repeat=True)

    def _close(self, context: Context, *, may_repeat: bool) -> None:
        if not self._owns_transport:
            return
        with self._closing:
            stays_open = not self._owner.is_this_process()
            try:
                context.delete_owned()
            except BuntimeError:
                stays_open = stays_open or may_repeat
                raise
            finally:
                if not stays_open:
                    self._context.caller.transport.close()
                    self._owns_transport = False  # nothing is left to delete or close


export("buntime", Buntime)
