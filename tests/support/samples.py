"""A sample request for every response of the service, and the service for it."""

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
    """A clock that can break, and with it every call of the service."""

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
        """Write the files, or raise the error of a full disk."""
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
        """Fail, or end nothing."""
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


class World:
    """A service with one session, ``ses_1``, that has a few files and one scripted program."""

    def __init__(self, *, api_key: Optional[str] = None, **options: Any) -> None:
        self.access = AccessControl(None if api_key is None else Secret(api_key))
        self.clock = FailingClock()
        executor = FailingExecutor()
        result = ScriptedResult.make(
            chunks=[("stdout", "Sum: 15\n"), ("stderr", "done\n")], files={"out.txt": "15"}
        )
        executor.add(CODE, contains=None, command=None, answers=lambda _: result)
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
        """Send a call such as ``"POST /execute"``; a body that is no ``bytes`` goes as JSON."""
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
    """A call of an operation, its expected response, and its preparation.

    ``code`` is the error's, ``None`` for a success.
    """

    operation: str
    status: int
    code: Optional[str]
    body: Any = attrs.field(default=None, repr=False)
    query: dict[str, Any] = attrs.field(factory=dict)
    headers: Sequence[tuple[str, str]] = ()
    session_id: str = "ses_1"
    options: dict[str, Any] = attrs.field(factory=dict)
    before: Callable[[World], object] = attrs.field(default=lambda _: None, repr=False)

    def __str__(self) -> str:
        return f"{self.operation} {self.status} {self.code or ''}".strip()

    def send(self, world: World) -> Response:
        """Send it."""
        self.before(world)
        call = self.operation.replace("{sessionId}", self.session_id)
        return world.send(call, body=self.body, headers=self.headers, **self.query)


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


def _elsewhere(sample: Sample) -> Sample:
    """Return the sample for a session that does not exist."""
    body = {**sample.body, **_GONE} if sample.body else None
    query = {**sample.query, **_GONE} if sample.query else {}
    return _failing(sample, 404, "session_not_found", body=body, query=query, session_id=MISSING)


def _spend(world: World) -> None:
    for _ in range(100):
        world.send("GET /sessions/ses_1")


def _open_sessions(world: World) -> None:
    for _ in range(9):
        world.send("POST /sessions/create")


def _break(world: World) -> None:
    world.clock.broken = True


def _fill(world: World) -> None:
    world.workspace.full = True


def _lose(world: World) -> None:
    world.runtime.failure = ExecutionLost("the supervisor does not answer")


def _exceed(world: World) -> None:
    details = {"limit": "memory", "max": 1024, "value": 1031.5}
    world.runtime.failure = ResourceExceeded("memory_limit_exceeded", "too much memory", details)


def _create_with_key(world: World) -> None:
    world.send("POST /sessions/create", body={"ttl": 300}, headers=[("Idempotency-Key", "k")])


_KEYED = [("Idempotency-Key", "k")]
_HELPER = '// buntime:helper {"op": "fly"}\n'
_CALL = (
    '// buntime:helper {"op": "call", "payload": "{\\"source\\": \\"(a) => a\\", \\"arguments\\": [1]}"}\n'
)

SAMPLES = [
    *OK.values(),
    _of("POST /sessions/create", 200, None, body={"ttl": 300}, headers=_KEYED, before=_create_with_key),
    _of("POST /execute", 200, None, body={**_S, "code": CODE, "stream": True}),
    *(_failing(item, 401, "unauthorized", options={"api_key": KEY}) for item in OK.values()),
    *(_failing(item, 429, "rate_limit_exceeded", options=_FREE, before=_spend) for item in OK.values()),
    *(_failing(item, 500, "internal_error", before=_break) for item in OK.values()),
    *(_elsewhere(item) for item in _WITH_SESSION),
    *(_failing(item, 413, "request_too_large", body=bytes(MAX_BODY + 1)) for item in _WITH_BODY),
    *(_failing(item, 400, "invalid_request", body=b"{") for item in _WITH_BODY),
    _of("POST /sessions/create", 403, "plan_limit", body={"ttl": 604800}, options=_FREE),
    _of("POST /sessions/create", 403, "concurrent_session_limit", options=_FREE, before=_open_sessions),
    _of("POST /sessions/create", 409, "idempotency_conflict", headers=_KEYED, before=_create_with_key),
    _of("POST /sessions/create", 503, "shutting_down", before=lambda world: world.service.close()),
    _of("GET /sessions/{sessionId}", 500, "execution_lost", before=_lose),
    _of("POST /execute", 403, "plan_limit", body={**_S, "code": CODE, "timeout": 31}, options=_FREE),
    _of(
        "POST /execute",
        413,
        "file_too_large",
        body={**_S, "code": CODE, "files": [{"path": "a", "content": _BIG}]},
        options=_FREE,
    ),
    _of("POST /execute", 500, "execution_lost", before=_lose),
    _of("POST /execute", 501, "unscripted_execution", body={**_S, "code": "unheard of"}),
    _of("POST /execute", 501, "unscripted_call", body={**_S, "code": _CALL}),
    _of("POST /execute", 501, "unknown_helper", body={**_S, "code": _HELPER}),
    _of("POST /execute", 507, "memory_limit_exceeded", before=_exceed),
    _of(
        "POST /execute",
        507,
        "disk_full",
        body={**_S, "code": CODE, "files": [{"path": "a", "content": "b"}]},
        before=_fill,
    ),
    _of("POST /execution/kill", 500, "execution_lost", before=_lose),
    _of(
        "POST /files/write",
        413,
        "file_too_large",
        body={**_S, "path": "a", "content": _BIG},
        options=_FREE,
    ),
    _of("POST /files/write", 507, "disk_full", before=_fill),
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
        before=lambda world: world.workspace.write("big", _BIG.encode()),
    ),
]
