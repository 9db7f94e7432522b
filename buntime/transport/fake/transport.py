"""The service in memory: no process, no thread, no disk, no network."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Literal, Optional, Union

import attrs

from buntime import _validate
from buntime._http import Body, Request, Response, closed_error
from buntime._support.forks import reset_after_fork
from buntime._support.unpicklable import NotPicklable
from buntime.errors import JavaScriptError
from buntime.service.presigned import LARGEST_OBJECT
from buntime.service.scripted.executor import Code, Handler, HandlerFailed, ScriptedExecutor
from buntime.service.scripted.functions import CallScript, Function, FunctionHandler, Thrown
from buntime.service.scripted.results import Chunk, ScriptedResult
from buntime.service.sessions.app import Service, is_route
from buntime.service.workspace.memory import MemoryWorkspace
from buntime.transport._in_process import send_in_process
from buntime.transport.fake.clock import FakeClock
from buntime.transport.fake.devboxes import PREFIX, FakeDevboxes, is_devbox_call, route_name
from buntime.transport.fake.faults import Failure, PlannedFailure, fail
from buntime.transport.fake.inspection import FakeCall, FakeDevbox, FakeSession

_MISSING: Any = object()


class FakeTransport(NotPicklable):
    """Both services in memory, for fast tests of code that uses buntime or Runloop.

    Sessions, files, limits and errors behave as documented, with ``plan`` as for :class:`LocalTransport`.
    Results of executions are scripted with :meth:`on_execute`; an execution without a script fails with a
    :class:`~buntime.ServerError` that shows the line to add. Time stands still, except for :meth:`advance`
    and the client's back-off, which takes no real time.

    Limits: no code and no shell runs; preview URLs do not answer; times and memory of an execution come
    from its script; the workspace has no links and no permissions; nothing is ever slow.

    A devbox boots in ``boot_time`` seconds of the fake's clock, a blueprint is built in ``build_time``, a
    snapshot taken in ``snapshot_time``; a request that waits for these moves the clock.

    A forked child has its own copy, separate from its parent's.
    """

    def __init__(
        self,
        *,
        plan: Optional[Literal["free", "paid", "enterprise"]] = None,
        boot_time: float = 1.0,
        build_time: float = 10.0,
        snapshot_time: float = 1.0,
    ) -> None:
        self._clock = FakeClock()
        self._executor = ScriptedExecutor(pause=self._clock.advance)
        times = {"boot_time": boot_time, "build_time": build_time, "snapshot_time": snapshot_time}
        seconds = [_validate.seconds(name, value) or 0.0 for name, value in times.items()]
        self._devboxes = FakeDevboxes(self._clock, self._executor, *seconds)
        numbers = itertools.count(1)
        self._service = Service(
            self._executor,
            lambda _session_id: MemoryWorkspace(self._clock),
            clock=self._clock,
            plan=plan,
            ids=lambda: f"ses_fake{next(numbers):014}",
        )
        self._failures: list[PlannedFailure] = []
        self._calls: list[FakeCall] = []
        self._lock = reset_after_fork(threading.Lock())
        self._closed = False

    def __repr__(self) -> str:
        return f"<FakeTransport {len(self._calls)} calls>"

    def on_execute(
        self,
        code: Optional[Code] = None,
        *,
        contains: Optional[str] = None,
        command: Optional[Union[str, re.Pattern[str]]] = None,
        handler: Optional[Handler] = None,
        results: Optional[Iterable[ScriptedResult]] = None,
        chunks: Optional[Iterable[Chunk]] = None,
        **result: Any,
    ) -> None:
        """Script the executions that match.

        Arguments:
            code: the exact code, a compiled regular expression that is searched in it, or a predicate that
                takes a :class:`ScriptedExecution`.
            contains: a text that the code contains.
            command: the exact shell command, or a compiled regular expression that is searched in it.
            handler: takes the :class:`ScriptedExecution` and returns a :class:`ScriptedResult`, a ``str`` as
                its stdout, or ``None``. Its exceptions reach the caller of ``execute`` unchanged.
            results: a :class:`ScriptedResult` for each execution in turn; then the script is used up.
            chunks: the output of a stream as ``("stdout" or "stderr", text)`` pieces.
            result: the fields of a :class:`ScriptedResult`: ``stdout``, ``stderr``, ``exit_code``,
                ``timed_out``, ``files`` (written by the code, by path), ``execution_time``, ``cpu_time``
                (milliseconds), ``memory_used`` (bytes), ``keeps_running``.

        ``Session.start`` uses these scripts too. The process writes its output immediately and ends with
        the exit code, or with ``keeps_running=True`` runs until it is killed; while one runs, any port of
        the session is open. Waiting for a process that runs advances the clock.

        Scripts are tried in the order they were added. Raises ``TypeError`` if the matching or the result is
        ambiguous.
        """
        if sum([handler is not None, results is not None, bool(result) or chunks is not None]) > 1:
            raise TypeError("pass only one of a handler, results, or the fields of one result")
        if handler is not None:
            if not callable(handler):
                raise TypeError(f"handler must be a function, not {type(handler).__name__}")
            self._executor.add(code, contains=contains, command=command, results=handler)
        elif results is not None:
            self._executor.add(code, contains=contains, command=command, results=_checked_results(results))
        else:
            fixed = ScriptedResult.make(chunks=chunks, **result)
            self._executor.add(code, contains=contains, command=command, results=lambda _execution: fixed)

    def on_call(
        self,
        function: Function,
        *,
        returns: Any = _MISSING,
        handler: Optional[FunctionHandler] = None,
        raises: Optional[JavaScriptError] = None,
        stdout: str = "",
        stderr: str = "",
    ) -> None:
        """Script the calls of a function with ``session.call``.

        Arguments:
            function: its source as the program passes it, or ``"./FILE#EXPORT"``; a compiled regular
                expression that is searched in it, or a predicate that takes it.
            returns: the return value of every call.
            handler: takes the arguments of a call and returns its return value. A
                :class:`~buntime.JavaScriptError` that it raises is thrown by the function; other exceptions
                reach the caller of ``call`` unchanged.
            raises: the error that every call throws: its ``name``, ``message`` and ``stack``.
            stdout: the standard output of a call.
            stderr: the standard error of a call.

        Values are converted as in a real call: a tuple arrives as a list. Scripts are tried in the order
        they were added. Raises ``TypeError`` unless exactly one of ``returns``, ``handler`` and ``raises`` is
        passed.
        """
        if sum([returns is not _MISSING, handler is not None, raises is not None]) != 1:
            raise TypeError("on_call needs exactly one of returns=, handler= and raises=")
        if raises is not None and not isinstance(raises, JavaScriptError):
            raise TypeError(f"raises must be a JavaScriptError, not {type(raises).__name__}")

        def call(*arguments: Any) -> Any:
            try:
                if raises is not None:
                    raise raises
                return returns if handler is None else handler(*arguments)
            except JavaScriptError as error:
                raise Thrown(error.name, error.message, error.stack) from None

        self._executor.calls.add(CallScript(function, call, stdout, stderr))

    def fail_next(
        self,
        failure: Union[Failure, int],
        *,
        call: Optional[str] = None,
        times: int = 1,
        acted: Optional[bool] = None,
        code: Optional[str] = None,
        message: str = "a planned failure",
        headers: Optional[Mapping[str, str]] = None,
    ) -> None:
        """Make the next call fail; several plans are carried out in the order they were made.

        Arguments:
            failure: a status (``503``), or ``"connect"`` (no connection is made), ``"dropped"`` (the
                connection is lost before the response), ``"timeout"`` (no response in time: the clock
                advances by the read timeout), ``"cut_body"`` (the body ends half-way), ``"html"`` (the page
                of a proxy instead of the response).
            call: limits the failure to a call such as ``"POST /execute"`` or, of Runloop,
                ``"devboxes.create"``.
            times: how many calls fail.
            acted: whether the service acts although the call fails. By default ``True`` for ``"dropped"``,
                ``"timeout"`` and ``"cut_body"``, otherwise ``False``.
            code: the service's error code, with a status.
            message: the error's message, with a status.
            headers: such as ``{"Retry-After": "2"}``, with a status or ``"html"``.

        Raises ``ValueError`` or ``TypeError`` for an impossible failure or an unknown call.
        """
        plan = PlannedFailure.make(
            failure, call=call, acted=acted, code=code, message=message, headers=headers
        )
        if call is not None and not (is_route(call) or is_devbox_call(call)):
            raise ValueError(
                f"call is {call!r}, not a call of the API such as 'POST /execute' or 'devboxes.create'"
            )
        with self._lock:
            self._failures.extend([plan] * _validate.count("times", times))

    def advance(self, seconds: float) -> None:
        """Let time pass: sessions become idle, fall asleep, expire."""
        self._clock.advance(_validate.number("seconds", seconds))

    def sleep(self, seconds: float, /) -> None:
        """Advance the clock, as the client's wait before a retry does; returns immediately."""
        self._clock.advance(seconds)

    def monotonic(self) -> float:
        """Return the fake's seconds, which never go back."""
        return self._clock.monotonic()

    def time(self) -> float:
        """Return the fake's date, in seconds since the epoch."""
        return self._clock.time()

    def every(self, seconds: float, act: Callable[[], object], /) -> Callable[[], None]:
        """Call ``act`` whenever that much of the fake's time has passed; return a function that stops it."""
        return self._clock.every(seconds, act)

    @property
    def calls(self) -> list[FakeCall]:
        """The calls so far, in order; each retry is a call."""
        with self._lock:
            return list(self._calls)

    @property
    def sessions(self) -> dict[str, FakeSession]:
        """The sessions that are alive, by id, in the order they were created."""
        return {name: FakeSession(session) for name, session in self._service.sessions.items()}

    @property
    def devboxes(self) -> dict[str, FakeDevbox]:
        """The devboxes that have not ended, by id, in the order they were created."""
        return {name: FakeDevbox(devbox) for name, devbox in self._devboxes.alive().items()}

    def assert_all_scripts_used(self) -> None:
        """Raise ``AssertionError`` with the scripts that answered nothing or have results not used."""
        unused = self._executor.unused()
        if unused:
            raise AssertionError(f"scripts not used, or not used up: {', '.join(map(repr, unused))}")

    def send(self, request: Request, /) -> Response:
        """Return the response, or fail as planned; ``RuntimeError`` after :meth:`close`."""
        if self._closed:
            raise closed_error(request)
        if isinstance(request.body, Body) and request.body.size <= LARGEST_OBJECT:
            request = request.buffered()  # it may be readable once, and the list of calls has it too
        plan = self._next_failure(request)
        status = None
        try:
            if plan is None:
                response = self._handle(request)
            else:
                response = fail(plan, request, self._handle, self.advance)
            status = response.status
            return response
        finally:
            call = FakeCall._of(request, status)
            with self._lock:
                self._calls.append(call)

    def close(self) -> None:
        """End all sessions. Idempotent."""
        self._closed = True
        self._service.close()
        self._devboxes.close()

    def _handle(self, request: Request) -> Response:
        try:
            # A handler or another thread may advance the clock meanwhile, yet no call is ever slow.
            if request.path.startswith(PREFIX):
                # A command that runs until the call ends would otherwise never end it.
                request = attrs.evolve(request, read_timeout=request.deadline)
                return send_in_process(self._devboxes.handle, request)
            return self._service.handle(attrs.evolve(request, read_timeout=None))
        except HandlerFailed as wrapper:
            raise (wrapper.__cause__ or wrapper) from None

    def _next_failure(self, request: Request) -> Optional[PlannedFailure]:
        names = {None, f"{request.method} {request.path}", route_name(request.method, request.path)}
        with self._lock:
            for index, plan in enumerate(self._failures):
                if plan.call in names:
                    return self._failures.pop(index)
        return None


def _checked_results(results: Iterable[ScriptedResult]) -> tuple[ScriptedResult, ...]:
    if not isinstance(results, Iterable):
        raise TypeError("results must be several ScriptedResult values; for one result pass its fields")
    checked = tuple(results)
    for result in checked:
        if not isinstance(result, ScriptedResult):
            raise TypeError(f"results must contain ScriptedResult values, not {type(result).__name__}")
    return checked
