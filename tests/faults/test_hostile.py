"""Any response and any argument leads to a documented exception, and no response reveals the key."""

from __future__ import annotations

import json
import pickle
import tempfile
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from buntime import Buntime, BuntimeError, Process, Session
from buntime.transport import FunctionTransport, Request, Response
from tests.support import effort

pytestmark = pytest.mark.one_python

KEY = "btk_canary-0123456789"
_MOST_REQUESTS = 300

Call = Callable[[Session, Any, Any], object]
CALLS: dict[str, Call] = {
    "create": lambda s, a, b: _client(s).sessions.create(a, {"a": b} if b is not None else None),
    "create with a key": lambda s, a, _: _client(s).sessions.create(idempotency_key=a),
    "info": lambda s, a, _: _client(s).sessions.info(a),
    "delete": lambda s, a, _: _client(s).sessions.delete(a),
    "execute": lambda s, a, b: s.execute(a, env=b),
    "execute a command": lambda s, a, b: s.execute(command=a, working_dir=b),
    "execute with files": lambda s, a, b: s.execute("1", files=a, timeout=b),
    "stream": lambda s, a, b: list(s.stream(a, max_output=b)),
    "callback": lambda s, a, b: s.execute(a, on_stdout=b),
    "start": lambda s, a, b: s.start(a, env=b),
    "call": lambda s, a, b: s.call(a, b),
    "kill": lambda s, a, _: s.kill(a),
    "kill_all": lambda s, a, _: _client(s).kill_all(session_id=a),
    "wait_for_port": lambda s, a, b: s.wait_for_port(a, b),
    "processes": lambda s, _, __: [process.running() for process in s.processes()],
    "stay_awake": lambda s, a, _: s.stay_awake(interval=a),
    "logs": lambda s, a, b: Process(s._context, "ses_1", 1, 2).logs(a, b),
    "follow": lambda s, a, b: list(Process(s._context, "ses_1", 1, 2).follow(a, b)),
    "kill a process": lambda s, _, __: Process(s._context, "ses_1", 1, 2).kill(),
    "wait": lambda s, a, _: Process(s._context, "ses_1", 1, 2).wait(a),
    "write": lambda s, a, b: s.files.write(a, b),
    "read": lambda s, a, _: s.files.read(a),
    "read_bytes": lambda s, a, _: s.files.read_bytes(a),
    "list": lambda s, a, b: s.files.list(a, recursive=b),
    "stat": lambda s, a, _: s.files.stat(a),
    "exists": lambda s, a, _: s.files.exists(a),
    "mkdir": lambda s, a, _: s.files.mkdir(a),
    "move": lambda s, a, b: s.files.move(a, b),
    "delete a file": lambda s, a, b: s.files.delete(a, recursive=b),
    "download": lambda s, a, _: s.files.download(a, Path(tempfile.gettempdir()) / "hostile", delete=True),
    "upload": lambda s, a, b: s.files.upload(Path(__file__), a, ignore=b),
    "request": lambda s, a, b: _client(s).request("GET", a, params=b),
}
VALID: dict[str, tuple[Any, Any]] = {
    "create": (600, 1),
    "create with a key": ("k", None),
    "execute": ("1", {"A": "b"}),
    "execute a command": ("ls", "src"),
    "execute with files": ({"a": "b"}, 5),
    "stream": ("1", 100),
    "callback": ("1", lambda _text: None),
    "start": ("1", {}),
    "call": ("(x) => x", 1),
    "kill": (3, None),
    "kill_all": ("ses_1", None),
    "stay_awake": (60, None),
    "follow": (0, 0),
    "wait_for_port": (80, 1),
    "logs": (0, 0),
    "wait": (1, None),
    "list": ("", True),
    "delete a file": ("a", True),
    "request": ("/x", {"a": 1}),
}


class _Timed(FunctionTransport):
    """Waits pass on a clock of the transport."""

    now = 0.0

    def sleep(self, seconds: float, /) -> None:
        """Advance the clock."""
        self.now += seconds

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


_clients: dict[int, Buntime] = {}


def _client(session: Session) -> Buntime:
    return _clients[id(session)]


def _session(respond: Callable[[Request], Response]) -> tuple[Session, list[Request]]:
    sent: list[Request] = []

    def counted(request: Request) -> Response:
        sent.append(request)
        assert len(sent) < _MOST_REQUESTS, "the call sends requests without end"
        return respond(request)

    transport = _Timed(counted)
    client = Buntime(KEY, headers={"X-Other": "v"}, transport=transport, max_retries=0, deadline=30)
    session = client.sessions.attach("ses_1")
    _clients.clear()
    _clients[id(session)] = client
    return session, sent


_FIELDS = st.one_of(
    st.text(max_size=5),
    st.sampled_from(
        [
            *(
                "sessionId",
                "createdAt",
                "expiresAt",
                "stdout",
                "stderr",
                "exitCode",
                "timedOut",
                "executionTime",
            ),
            *("files", "path", "size", "modified", "type", "content", "killed", "pids", "deleted", "data"),
            *(
                "error",
                "code",
                "message",
                "details",
                "entries",
                "root",
                "next",
                "contents",
                "base64",
                "stamp",
            ),
            *(
                "number",
                "pid",
                "open",
                "exit_code",
                "stdout_offset",
                "stderr_offset",
                "value",
                "stored",
                "thrown",
            ),
        ]
    ),
)
_TEXTS = st.one_of(
    st.text(max_size=20), st.sampled_from([KEY, "", "..", "a/../b", "/workspace/a", "a\0b", "\ud800"])
)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _TEXTS)
_JSON: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_FIELDS, inner, max_size=6)),
    max_leaves=12,
)
_ARGUMENTS: st.SearchStrategy[Any] = st.one_of(
    _JSON, st.binary(max_size=10), st.just(object()), st.just(len), st.sets(st.integers(), max_size=2)
)


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def _as_result(reply: Any) -> bytes:
    text = json.dumps(reply)
    stdout = f"\n{text}\n\x1ebuntime:call {text}\n"
    return _encoded({"stdout": stdout, "stderr": "", "exitCode": 0})


def _as_events(event: Any) -> bytes:
    return b"data: " + _encoded(event) + b"\n\n"


_BODIES = st.one_of(
    st.binary(max_size=60),
    _JSON.map(_encoded),
    _JSON.map(_as_result),
    _JSON.map(_as_result),
    _JSON.map(_as_events),
)
_HEADERS = st.dictionaries(
    st.sampled_from(["Content-Type", "Retry-After", "X-RateLimit-Reset", "X-Request-Id", "Location"]),
    st.one_of(
        st.sampled_from(["application/json", "text/event-stream", "text/html", "", "-1", "1e999", KEY]),
        st.text(st.characters(max_codepoint=255), max_size=10),
    ),
    max_size=3,
)


def _check_secret(error: BuntimeError) -> None:
    """The key is not in the error, even if the service echoes it."""
    copied = pickle.dumps(error)
    for text in (
        str(error),
        repr(error),
        repr(vars(error)),
        repr(error.args),
        repr(pickle.loads(copied)),
    ):
        assert KEY not in text
    assert KEY.encode() not in copied


@pytest.mark.parametrize("name", CALLS)
@settings(
    max_examples=effort.examples(15), phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)
@given(
    status=st.one_of(st.sampled_from([200, 200, 200, 404, 429, 500]), st.integers(100, 599)),
    headers=_HEADERS,
    body=_BODIES,
)
def test_any_response(name: str, status: int, headers: dict[str, str], body: bytes) -> None:
    """The call returns or raises one of our errors, without the key, after a bounded number of requests."""
    session, _ = _session(lambda _request: Response(status, list(headers.items()), [body]))
    first, second = VALID.get(name, ("a", "b"))
    try:
        CALLS[name](session, first, second)
    except BuntimeError as error:
        _check_secret(error)


@pytest.mark.parametrize("name", CALLS)
@settings(
    max_examples=effort.examples(15), phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)
@given(first=_ARGUMENTS, second=_ARGUMENTS)
def test_any_argument(name: str, first: Any, second: Any) -> None:
    """A TypeError or a ValueError is raised before anything is sent; otherwise the service decides."""
    session, sent = _session(lambda _request: Response(400, [], [b'{"error": {"code": "invalid_request"}}']))
    try:
        CALLS[name](session, first, second)
    except BuntimeError:
        pass
    except (TypeError, ValueError):
        assert [] == sent
