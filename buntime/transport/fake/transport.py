"""The service in memory: no process, no thread, no disk, no network."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Callable, Optional, Union

import attrs

from buntime._http import Headers, Request, Response
from buntime._support.forks import reset_after_fork
from buntime._support.unpicklable import NotPicklable
from buntime.errors import JavaScriptError
from buntime.service.scripted.executor import (
    Chunk,
    Code,
    Handler,
    HandlerFailed,
    ScriptedExecutor,
    ScriptedResult,
)
from buntime.service.scripted.functions import CallScript, Function, FunctionHandler, Thrown
from buntime.service.sessions.app import Service, is_call
from buntime.service.sessions.sessions import Session
from buntime.service.workspace.memory import MemoryWorkspace
from buntime.transport.fake.faults import Failure, PlannedFailure, failing

_MISSING: Any = object()


@attrs.frozen
class FakeCall:
    """A request that reached the fake, failed ones included.

    ``json`` is the decoded body, or ``None``. ``status`` is what was answered, ``None`` where the
    connection failed instead.
    """

    method: str
    path: str
    query: Mapping[str, str]
    json: Any
    headers: Headers
    status: Optional[int]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class FakeSession:
    """A session of the fake, seen from inside: what a test sets up and looks at."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<FakeSession {self.id} {self.state}>"

    @property
    def id(self) -> str:
        """The session's id."""
        return self._session.id

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata it was created with."""
        return self._session.metadata

    @property
    def state(self) -> str:
        """``"active"``, ``"idle"`` or ``"deep-sleep"``."""
        return self._session.state

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the workspace by path, those in ``node_modules`` and ``.git`` left out."""
        workspace = self._session.workspace
        return {path: workspace.read(path) for path in sorted(workspace.snapshot())}

    def write(self, path: str, content: Union[str, bytes]) -> None:
        """Put a file into the workspace."""
        self._session.workspace.write(path, content.encode() if isinstance(content, str) else content)


class FakeTransport(NotPicklable):
    """Answers as the service does, from memory and at once, for tests of code that uses buntime.

    Sessions, files, limits and errors are those of the service's model, with ``plan`` as for
    :class:`LocalTransport`. Executions are scripted with :meth:`on_execute`; one that is not fails with a
    :class:`~buntime.ServerError` that shows the line to add. Time stands still but for :meth:`advance` and
    the client's own back-off, which takes no real time.

    What it is not: no code runs and no shell; no preview URL answers; an execution's times and memory are
    the script's; the workspace has no links and no permissions; nothing is ever slow.

    A forked child goes on with a copy, of which its parent sees nothing.
    """

    def __init__(self, *, plan: str | None = None) -> None:
        self._clock = _FakeClock()
        self._executor = ScriptedExecutor(pause=self._clock.advance)
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
        code: Code | None = None,
        *,
        contains: str | None = None,
        command: str | re.Pattern[str] | None = None,
        handler: Handler | None = None,
        results: Iterable[ScriptedResult] | None = None,
        chunks: Iterable[Chunk] | None = None,
        **result: Any,
    ) -> None:
        """Script the executions that match.

        Arguments:
            code: what matches: the exact code, a compiled regular expression that is found in it, or a
                predicate that takes a :class:`ScriptedExecution`.
            contains: a text that the code holds.
            command: the exact shell command, or a compiled regular expression that is found in it.
            handler: takes the :class:`ScriptedExecution` and returns a :class:`ScriptedResult`, a ``str`` as
                its stdout, or ``None``. What it raises reaches the caller of ``execute`` as it is.
            results: a :class:`ScriptedResult` for each execution in turn, after which the script is used up.
            chunks: the output as ``("stdout" or "stderr", text)`` pieces, as a stream brings them.
            result: the fields of a :class:`ScriptedResult`: ``stdout``, ``stderr``, ``exit_code``,
                ``timed_out``, ``files`` (what the code writes, by path), ``execution_time``, ``cpu_time``
                (milliseconds), ``memory_used`` (bytes), ``keeps_running``.

        ``Session.start`` takes its script from here too: the process has written the output at once, and has
        ended with the exit code, or with ``keeps_running=True`` runs until it is killed; while one runs, any
        port of the session is open. Who waits for one that runs on lets the clock advance.

        Scripts are tried in the order they were added. Raises ``TypeError`` where it is unclear what
        matches or what the result is.
        """
        given = [handler is not None, results is not None, bool(result) or chunks is not None]
        if sum(given) > 1:
            raise TypeError("give a handler, results, or the fields of one result; only one of them")
        answers: Handler | Sequence[ScriptedResult]
        if handler is not None:
            if not callable(handler):
                raise TypeError(f"handler is a {type(handler).__name__}, not a function")
            answers = handler
        elif results is not None:
            answers = _checked_results(results)
        else:
            fixed = ScriptedResult.make(chunks=chunks, **result)
            answers = lambda _execution: fixed  # noqa: E731 - a handler like the user's own
        self._executor.add(code, contains=contains, command=command, answers=answers)

    def on_call(
        self,
        function: Function,
        *,
        returns: Any = _MISSING,
        handler: FunctionHandler | None = None,
        raises: JavaScriptError | None = None,
        stdout: str = "",
        stderr: str = "",
    ) -> None:
        """Script the calls of a function with ``session.call``.

        Arguments:
            function: its source as the program passes it, or ``"./FILE#EXPORT"``; a compiled regular
                expression that is found in it, or a predicate that takes it.
            returns: what every call returns.
            handler: takes the arguments of a call and returns what it returns. A
                :class:`~buntime.JavaScriptError` that it raises is thrown by the function; another exception
                reaches the caller of ``call`` as it is.
            raises: what every call throws: its ``name``, ``message`` and ``stack``.
            stdout: what a call prints.
            stderr: the same on standard error.

        Values travel as they do in a real call: a tuple arrives as a list. Scripts are tried in the order
        they were added. Raises ``TypeError`` unless exactly one of ``returns``, ``handler`` and ``raises`` is
        given.
        """
        if sum([returns is not _MISSING, handler is not None, raises is not None]) != 1:
            raise TypeError("on_call needs exactly one of returns=, handler= and raises=")
        if raises is not None and not isinstance(raises, JavaScriptError):
            raise TypeError(f"raises must be a JavaScriptError, not {type(raises).__name__}")

        def answer(*arguments: Any) -> Any:
            try:
                if raises is not None:
                    raise raises
                return returns if handler is None else handler(*arguments)
            except JavaScriptError as error:
                raise Thrown(error.name, error.message, error.stack) from None

        self._executor.calls.add(CallScript(function, answer, stdout, stderr))

    def fail_next(
        self,
        failure: Failure | int,
        *,
        call: str | None = None,
        times: int = 1,
        acted: bool | None = None,
        code: str | None = None,
        message: str = "a planned failure",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Make the next call fail; several plans are carried out in the order they were made.

        Arguments:
            failure: a status to answer (``503``), or ``"connect"`` (no connection is made), ``"dropped"``
                (the connection is lost before the answer), ``"timeout"`` (no answer in time: the clock
                advances by the read timeout), ``"cut_body"`` (the body ends half-way), ``"html"`` (a page of
                some proxy instead of the answer).
            call: only a call such as ``"POST /execute"`` fails; any, where left out.
            times: how many calls.
            acted: whether the service acts on the call although it fails. Where left out: yes for
                ``"dropped"``, ``"timeout"`` and ``"cut_body"``, else no.
            code: the service's error code, with a status.
            message: the error's message, with a status.
            headers: such as ``{"Retry-After": "2"}``, with a status or ``"html"``.

        Raises ``ValueError`` or ``TypeError`` for a failure or a call that cannot be.
        """
        plan = PlannedFailure.make(
            failure, call=call, acted=acted, code=code, message=message, headers=headers
        )
        if call is not None and not is_call(call):
            raise ValueError(f"call is {call!r}, which is no call of the API, such as 'POST /execute'")
        if isinstance(times, bool) or not isinstance(times, int) or times < 1:
            raise ValueError(f"times is {times!r}; it is a whole number of at least 1")
        with self._lock:
            self._failures.extend([plan] * times)

    def advance(self, seconds: float) -> None:
        """Let time pass: sessions become idle, fall asleep, expire."""
        self._clock.advance(seconds)

    def sleep(self, seconds: float, /) -> None:
        """Wait as the client does before a retry: the clock advances, nothing waits."""
        self._clock.advance(seconds)

    def monotonic(self) -> float:
        """Return the fake's own seconds, which never go back."""
        return self._clock.monotonic()

    def time(self) -> float:
        """Return the fake's own date, in seconds since the epoch."""
        return self._clock.time()

    def every(self, seconds: float, act: Callable[[], object], /) -> Callable[[], None]:
        """Call ``act`` whenever that much of the fake's time has passed; return what stops it."""
        return self._clock.every(seconds, act)

    @property
    def calls(self) -> list[FakeCall]:
        """The calls so far, in the order they came, each retry as one more."""
        with self._lock:
            return list(self._calls)

    @property
    def sessions(self) -> dict[str, FakeSession]:
        """The sessions that are alive, by id, in the order they were created."""
        return {name: FakeSession(session) for name, session in self._service.sessions.items()}

    def assert_all_scripts_used(self) -> None:
        """Raise ``AssertionError`` naming the scripts that answered nothing or have results left."""
        unused = self._executor.unused()
        if unused:
            raise AssertionError(f"scripts not used, or not used up: {', '.join(map(repr, unused))}")

    def send(self, request: Request, /) -> Response:
        """Answer the request, or fail as planned; ``RuntimeError`` after :meth:`close`."""
        if self._closed:
            raise RuntimeError("the transport is closed")
        plan = self._planned(request)
        status = None
        try:
            response = (
                self._answer(request) if plan is None else failing(plan, request, self._answer, self.advance)
            )
            status = response.status
            return response
        finally:
            self._note(request, status)

    def close(self) -> None:
        """End all sessions. Idempotent."""
        self._closed = True
        self._service.close()

    def _answer(self, request: Request) -> Response:
        try:
            # Time may pass meanwhile, by a handler or another thread, and yet nothing here is ever slow.
            return self._service.handle(attrs.evolve(request, read_timeout=None))
        except HandlerFailed as carrier:
            raise (carrier.__cause__ or carrier) from None

    def _planned(self, request: Request) -> PlannedFailure | None:
        name = f"{request.method} {request.path}"
        with self._lock:
            for index, plan in enumerate(self._failures):
                if plan.call in {None, name}:
                    return self._failures.pop(index)
        return None

    def _note(self, request: Request, status: int | None) -> None:
        call = FakeCall(
            request.method,
            request.path,
            dict(request.query),
            None if request.body is None else json.loads(request.body),
            Headers(request.headers),
            status,
        )
        with self._lock:
            self._calls.append(call)


@attrs.define(eq=False)
class _Timer:
    at: float
    period: float
    act: Callable[[], object]


class _FakeClock:
    """A clock that starts now and moves when it is told to."""

    def __init__(self) -> None:
        self._start = time.time()
        self._passed = 0.0
        self._timers: list[_Timer] = []
        self._moving = False
        self._lock = reset_after_fork(threading.Lock())

    def time(self) -> float:
        return self._start + self._passed

    def monotonic(self) -> float:
        return self._passed

    def advance(self, seconds: float) -> None:
        if not seconds >= 0:
            raise ValueError(f"time does not go back: advance({seconds})")
        with self._lock:
            end = self._passed + seconds
            if self._moving or not self._timers:
                # What a timer does may take time itself; it sets off no further timer.
                self._passed = end
                return
            self._moving = True
        try:
            while (timer := self._next(end)) is not None:
                timer.act()
        finally:
            self._moving = False

    def _next(self, end: float) -> _Timer | None:
        """Move on to the next timer that is due by ``end``, or to ``end`` where there is none."""
        with self._lock:
            due = [timer for timer in self._timers if timer.at <= end]
            timer = min(due, key=lambda timer: timer.at, default=None)
            self._passed = max(self._passed, end if timer is None else timer.at)
            if timer is not None:
                timer.at += timer.period
            return timer

    def every(self, seconds: float, act: Callable[[], object]) -> Callable[[], None]:
        timer = _Timer(self._passed + seconds, seconds, act)
        with self._lock:
            self._timers.append(timer)

        def stop() -> None:
            with self._lock:
                if timer in self._timers:
                    self._timers.remove(timer)

        return stop


def _checked_results(results: Iterable[ScriptedResult]) -> tuple[ScriptedResult, ...]:
    if isinstance(results, ScriptedResult):
        raise TypeError("results holds several; for one result give its fields")
    found = tuple(results)
    for result in found:
        if not isinstance(result, ScriptedResult):
            raise TypeError(f"results holds a {type(result).__name__}, not a ScriptedResult")
    return found
