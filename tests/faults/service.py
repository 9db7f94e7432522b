"""The service model in memory, with counts of what each request made it do."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections import Counter
from typing import Any, Callable
from urllib.parse import parse_qsl

import attrs

from buntime import Buntime
from buntime._http import Request
from buntime.service.clock import SystemClock
from buntime.service.scripted import helpers
from buntime.service.scripted.executor import ScriptedExecutor
from buntime.service.scripted.functions import CallScript
from buntime.service.scripted.results import ScriptedExecution, ScriptedResult
from buntime.service.sessions.app import Service
from buntime.service.workspace.memory import MemoryWorkspace
from buntime.transport import FunctionTransport
from tests.support.loopback import Received


@attrs.frozen
class Answer:
    """A complete response of the service, to be sent with or without a fault."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def head(self, *headers: tuple[str, str]) -> bytes:
        """Return the status line and the headers, these included."""
        lines = [f"HTTP/1.1 {self.status} Answer", *(f"{n}: {v}" for n, v in (*self.headers, *headers))]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def sized(self, size: int | None = None) -> bytes:
        """Return the head and the body with a ``Content-Length``, by default the right one."""
        length = len(self.body) if size is None else size
        return self.head(("Content-Length", str(length))) + self.body

    def chunked(self) -> bytes:
        """Return the head and the body in two chunks, without the end of the last line."""
        middle = len(self.body) // 2
        chunks = (b"%x\r\n%b\r\n" % (len(part), part) for part in (self.body[:middle], self.body[middle:]))
        return self.head(("Transfer-Encoding", "chunked")) + b"".join(chunks) + b"0\r\n"


class _WithServers(ScriptedExecutor):
    """The executor of a fake, whose sessions have servers: each responds with the path of the request."""

    def __init__(self, count: Callable[[str], None]) -> None:
        super().__init__()
        self._count_request = count

    def result_for(self, execution: ScriptedExecution) -> ScriptedResult:
        arguments = helpers.arguments_of(execution.code or "")
        if arguments.get("op") not in ("http_send", "http_wait"):
            return super().result_for(execution)
        path = arguments["path"][1:]
        self._count_request(path)
        reply = {"ready": True, "status": 200, "headers": [], "base64": b64encode(path.encode()).decode()}
        return ScriptedResult(stdout=json.dumps(reply) + "\n")


class CountingService:
    """The service model. Code and commands print ``ran`` and their text, and a function returns its argument.

    ``executions`` counts each program and each argument of a function; ``created`` has the ids of the
    sessions that were created with the metadata ``{"tag": ...}``.
    """

    def __init__(self) -> None:
        self.executions: Counter[str] = Counter()
        self.created: dict[str, set[str]] = {}
        self._lock = threading.Lock()
        executor = _WithServers(self._count)
        executor.add(lambda _: True, contains=None, command=None, results=self._execute)
        executor.calls.add(CallScript(lambda _: True, self._call, "", ""))
        self.model = Service(executor, lambda _: MemoryWorkspace(SystemClock()))
        self.client = Buntime(transport=FunctionTransport(self.model.handle))
        """Calls the service directly, without HTTP."""

    def create(self, tag: str) -> str:
        """Create a session with this tag directly, without an idempotency key, and return its id."""
        body = json.dumps({"metadata": {"tag": tag}}).encode()
        headers = (("Content-Type", "application/json"),)
        response = self.model.handle(Request("POST", "/sessions/create", (), headers, body))
        return str(json.loads(response.read())["sessionId"])

    def respond(self, received: Received) -> Answer:
        """Carry out a request."""
        path, _, query = received.target.partition("?")
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        headers = tuple(received.headers.items())
        response = self.model.handle(Request(received.method, path, pairs, headers, received.body or None))
        ours = (pair for pair in response.headers.items() if pair[0].lower() != "content-length")
        answer = Answer(response.status, tuple(ours), response.read())
        if (received.method, path, answer.status) == ("POST", "/sessions/create", 200):
            tag = json.loads(received.body).get("metadata", {}).get("tag")
            with self._lock:
                self.created.setdefault(tag, set()).add(json.loads(answer.body)["sessionId"])
        return answer

    def _execute(self, execution: ScriptedExecution) -> ScriptedResult:
        text = execution.stdin.decode() or execution.code or execution.command or ""
        self._count(text)
        chunks = (("stdout", "ran "), ("stdout", text))
        return ScriptedResult.make(chunks=chunks, keeps_running=True)  # type: ignore[arg-type]  # no Literals

    def _call(self, argument: Any) -> Any:
        self._count(str(argument))
        return argument

    def _count(self, text: str) -> None:
        with self._lock:
            self.executions[text] += 1
