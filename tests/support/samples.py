"""A sample request for every response that the service can return, and a service that returns it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Optional, Union

import attrs

from buntime._http import Request, Response, Secret
from buntime.service.errors import ServiceError
from buntime.service.executors import (
    MB,
    Execution,
    ExecutionLost,
    ExecutionOutcome,
    Limits,
    Output,
    ResourceExceeded,
)
from buntime.service.requests import MAX_BODY
from buntime.service.scripted.executor import ScriptedExecutor, ScriptedRuntime
from buntime.service.scripted.results import ScriptedResult
from buntime.service.server.access import AccessControl
from buntime.service.sessions.app import Service
from buntime.service.workspace.base import DiskFullError, Workspace
from buntime.service.workspace.memory import MemoryWorkspace
from tests.support.clocks import ManualClock

CODE = "console.log('Sum:', 15)"
KEY = "btk_of_the_samples"
MISSING = "ses_missing"


class FailingClock(ManualClock):
    """A clock that can fail, and the whole service with it."""

    broken = False

    def monotonic(self) -> float:
        """Return the time, or fail."""
        if self.broken:
            raise ZeroDivisionError("division by zero")
        return super().monotonic()


class FullWorkspace(MemoryWorkspace):
    """A workspace on a disk that can be full."""

    full = False

    def write_all(self, files: Sequence[tuple[str, bytes]]) -> None:
        """Write the files, or raise an error if the disk is full."""
        if self.full:
            raise DiskFullError("no room left")
        super().write_all(files)


class FailingRuntime(ScriptedRuntime):
    """A runtime whose methods raise ``failure`` if it is set."""

    failure: Optional[Exception] = None

    def run(
        self, execution: Execution, *, timeout: float | None = None
    ) -> Iterator[Union[Output, ExecutionOutcome]]:
        """Fail, or return the scripted items."""
        self._fail()
        return super().run(execution, timeout=timeout)

    def kill(self, pid: int | None) -> list[int]:
        """Fail, or kill nothing."""
        self._fail()
        return super().kill(pid)

    def processes(self) -> int:
        """Fail, or return 0."""
        self._fail()
        return super().processes()

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


class FailingExecutor(ScriptedExecutor):
    """A scripted executor whose runtimes can fail."""

    def open(self, session_id: str, workspace: Workspace, limits: Limits, lifetime: float) -> FailingRuntime:
        """Return the runtime of a new session."""
        return FailingRuntime(self, session_id, workspace)


class SampleService:
    """A service with one session, ``ses_1``, that has a few files and one scripted program."""

    def __init__(self, *, api_key: Optional[str] = None, **options: Any) -> None:
        self.access = AccessControl(None if api_key is None else Secret(api_key))
        self.clock = FailingClock()
        executor = FailingExecutor()
        result = ScriptedResult.make(
            chunks=[("stdout", "Sum: 15\n"), ("stderr", "done\n")], files={"out.txt": "15"}
        )
        executor.add(CODE, contains=None, command=None, results=lambda _: result)
        numbers = iter(range(1, 1000))
        self.service = Service(
            executor,
            lambda _: FullWorkspace(self.clock),
            clock=self.clock,
            ids=lambda: f"ses_{next(numbers)}",
            **options,
        )
        self.send("POST /sessions/create", headers=[("Authorization", f"Bearer {api_key}")])
        self.workspace.write("data.csv", b"name,age\n")
        self.workspace.write("logo.png", b"\x89PNG")
        self.workspace.write("src/index.ts", b"export {}")

    @property
    def runtime(self) -> FailingRuntime:
        """The runtime of the session."""
        runtime = self.service.sessions["ses_1"].runtime
        assert isinstance(runtime, FailingRuntime)
        return runtime

    @property
    def workspace(self) -> FullWorkspace:
        """The files of the session."""
        workspace = self.service.sessions["ses_1"].workspace
        assert isinstance(workspace, FullWorkspace)
        return workspace

    def send(
        self,
        call: str,
        *,
        body: Any = None,
        headers: Sequence[tuple[str, str]] = (),
        **query: object,
    ) -> Response:
        """Send a request such as ``"POST /execute"``; a dict is sent as JSON."""
        method, _, path = call.partition(" ")
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        request = Request(
            method,
            path,
            query=tuple((name, str(value)) for name, value in query.items()),
            headers=(("Content-Type", "application/json"), *headers),
            body=content,
        )
        try:
            self.access.check(method, {name.upper(): value for name, value in headers})
        except ServiceError as error:
            return error.response()
        return self.service.handle(request)


@attrs.frozen
class Sample:
    """A request of an operation, its response, and the preparation before it.

    ``code`` is the error code, ``None`` for a success.
    """

    operation: str
    status: int
    code: Optional[str]
    body: Any = attrs.field(default=None, repr=False)
    query: dict[str, Any] = attrs.field(factory=dict)
    headers: Sequence[tuple[str, str]] = ()
    session_id: str = "ses_1"
    options: dict[str, Any] = attrs.field(factory=dict)
    before: Callable[[SampleService], object] = attrs.field(default=lambda _: None, repr=False)

    def __str__(self) -> str:
        return f"{self.operation} {self.status} {self.code or ''}".strip()

    def send(self, service: SampleService) -> Response:
        """Prepare the service and send the request."""
        self.before(service)
        call = self.operation.replace("{sessionId}", self.session_id)
        return service.send(call, body=self.body, headers=self.headers, **self.query)


_S = {"sessionId": "ses_1"}
_GONE = {"sessionId": MISSING}
_FREE = {"plan": "free"}
_BIG = "x" * (10 * MB + 1)

OK = {
    "POST /sessions/create": Sample("POST /sessions/create", 200, None, {"metadata": {"project": "demo"}}),
    "GET /sessions/{sessionId}": Sample("GET /sessions/{sessionId}", 200, None),
    "DELETE /sessions/{sessionId}": Sample("DELETE /sessions/{sessionId}", 200, None),
    "POST /execute": Sample("POST /execute", 200, None, {**_S, "code": CODE}),
    "POST /execution/kill": Sample("POST /execution/kill", 200, None, _S),
    "POST /files/write": Sample("POST /files/write", 200, None, {**_S, "path": "a/b.txt", "content": "é"}),
    "GET /files/list": Sample("GET /files/list", 200, None, query=_S),
    "GET /files/read": Sample("GET /files/read", 200, None, query={**_S, "path": "data.csv"}),
}
"""One success of each operation."""

_WITH_SESSION = [sample for name, sample in OK.items() if name != "POST /sessions/create"]
_WITH_BODY = [sample for name, sample in OK.items() if name.startswith("POST")]


def _failing(sample: Sample, status: int, code: str, **changes: Any) -> Sample:
    return attrs.evolve(sample, status=status, code=code, **changes)


def _of(operation: str, status: int, code: str | None, **changes: Any) -> Sample:
    return attrs.evolve(OK[operation], status=status, code=code, **changes)


def _in_missing_session(sample: Sample) -> Sample:
    """Return the sample for a session that does not exist."""
    body = {**sample.body, **_GONE} if sample.body else None
    query = {**sample.query, **_GONE} if sample.query else {}
    return _failing(sample, 404, "session_not_found", body=body, query=query, session_id=MISSING)


def _exhaust_rate_limit(service: SampleService) -> None:
    for _ in range(100):
        service.send("GET /sessions/ses_1")


def _exhaust_sessions(service: SampleService) -> None:
    for _ in range(9):
        service.send("POST /sessions/create")


def _break_clock(service: SampleService) -> None:
    service.clock.broken = True


def _fill_disk(service: SampleService) -> None:
    service.workspace.full = True


def _lose_supervisor(service: SampleService) -> None:
    service.runtime.failure = ExecutionLost("the supervisor does not answer")


def _exceed_memory(service: SampleService) -> None:
    details = {"limit": "memory", "max": 1024, "value": 1031.5}
    service.runtime.failure = ResourceExceeded("memory_limit_exceeded", "too much memory", details)


def _create_with_key(service: SampleService) -> None:
    service.send("POST /sessions/create", body={"ttl": 300}, headers=[("Idempotency-Key", "k")])


_KEYED = [("Idempotency-Key", "k")]
_HELPER = '// buntime:helper {"op": "fly"}\n'
_CALL = (
    '// buntime:helper {"op": "call", "payload": "{\\"source\\": \\"(a) => a\\", \\"arguments\\": [1]}"}\n'
)

SAMPLES = [
    *OK.values(),
    _of("POST /sessions/create", 200, None, body={"ttl": 300}, headers=_KEYED, before=_create_with_key),
    _of("POST /execute", 200, None, body={**_S, "code": CODE, "stream": True}),
    *(_failing(sample, 401, "unauthorized", options={"api_key": KEY}) for sample in OK.values()),
    *(
        _failing(sample, 429, "rate_limit_exceeded", options=_FREE, before=_exhaust_rate_limit)
        for sample in OK.values()
    ),
    *(_failing(sample, 500, "internal_error", before=_break_clock) for sample in OK.values()),
    *(_in_missing_session(sample) for sample in _WITH_SESSION),
    *(_failing(sample, 413, "request_too_large", body=bytes(MAX_BODY + 1)) for sample in _WITH_BODY),
    *(_failing(sample, 400, "invalid_request", body=b"{") for sample in _WITH_BODY),
    _of("POST /sessions/create", 403, "plan_limit", body={"ttl": 604800}, options=_FREE),
    _of("POST /sessions/create", 403, "concurrent_session_limit", options=_FREE, before=_exhaust_sessions),
    _of("POST /sessions/create", 409, "idempotency_conflict", headers=_KEYED, before=_create_with_key),
    _of("POST /sessions/create", 503, "shutting_down", before=lambda service: service.service.close()),
    _of("GET /sessions/{sessionId}", 500, "execution_lost", before=_lose_supervisor),
    _of("POST /execute", 403, "plan_limit", body={**_S, "code": CODE, "timeout": 31}, options=_FREE),
    _of(
        "POST /execute",
        413,
        "file_too_large",
        body={**_S, "code": CODE, "files": [{"path": "a", "content": _BIG}]},
        options=_FREE,
    ),
    _of("POST /execute", 500, "execution_lost", before=_lose_supervisor),
    _of("POST /execute", 501, "unscripted_execution", body={**_S, "code": "unscripted"}),
    _of("POST /execute", 501, "unscripted_call", body={**_S, "code": _CALL}),
    _of("POST /execute", 501, "unknown_helper", body={**_S, "code": _HELPER}),
    _of("POST /execute", 507, "memory_limit_exceeded", before=_exceed_memory),
    _of(
        "POST /execute",
        507,
        "disk_full",
        body={**_S, "code": CODE, "files": [{"path": "a", "content": "b"}]},
        before=_fill_disk,
    ),
    _of("POST /execution/kill", 500, "execution_lost", before=_lose_supervisor),
    _of(
        "POST /files/write",
        413,
        "file_too_large",
        body={**_S, "path": "a", "content": _BIG},
        options=_FREE,
    ),
    _of("POST /files/write", 507, "disk_full", before=_fill_disk),
    _of("GET /files/list", 400, "invalid_request", query={**_S, "limit": 101}),
    _of("GET /files/list", 404, "file_not_found", query={**_S, "path": "nowhere"}),
    _of("GET /files/read", 400, "invalid_request", query=_S),
    _of("GET /files/read", 400, "not_text", query={**_S, "path": "logo.png"}),
    _of("GET /files/read", 404, "file_not_found", query={**_S, "path": "nowhere"}),
    _of(
        "GET /files/read",
        413,
        "file_too_large",
        query={**_S, "path": "big"},
        options=_FREE,
        before=lambda service: service.workspace.write("big", _BIG.encode()),
    ),
]
