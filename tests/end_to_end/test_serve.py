"""``buntime serve`` as a process: any client can use it, and a signal ends it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Optional
from urllib.parse import urlsplit

import pytest

from buntime.cli.main import main
from tests.support.bun import all_pids, read_proc
from tests.support.openapi import events
from tests.support.serving import buntime_serve

_PATIENCE = 60
_KEY = "btk_of_the_serve_tests"
_JSON = {"Content-Type": "application/json"}
_FAKES = "tests.support.served_fakes"
_SUMS = ("--fake", f"{_FAKES}:sums")
_WAITS = """
console.log("first");
while (!(await Bun.file("/workspace/go").exists())) await Bun.sleep(5);
console.log("second");
"""
_RUNS_FOREVER = 'console.log("first"); await new Promise(() => setInterval(() => {}, 1000));'

BufferedResponse = tuple[int, http.client.HTTPMessage, Any]


def _connect(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=_PATIENCE)


def _request(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: Optional[dict[str, Any]] = None,
    headers: Optional[dict[str, str]] = None,
) -> BufferedResponse:
    """Send one request as a client in any language would; return status, headers and the decoded body."""
    content = None if body is None else json.dumps(body).encode()
    connection.request(method, path, content, {**(_JSON if body is not None else {}), **(headers or {})})
    response = connection.getresponse()
    text = response.read()
    return response.status, response.headers, json.loads(text) if text else None


def _create(url: str) -> str:
    with closing(_connect(url)) as connection:
        return str(_request(connection, "POST", "/sessions/create")[2]["sessionId"])


class _Stream:
    """A streamed execution, as bytes on a socket."""

    def __init__(self, url: str, session_id: str, code: str, **fields: Any) -> None:
        self._connection = _connect(url)
        body = {"sessionId": session_id, "code": code, "stream": True, **fields}
        self._connection.request("POST", "/execute", json.dumps(body), _JSON)
        self.response = self._connection.getresponse()

    def event(self) -> tuple[str, Any]:
        """Wait for the next event and return it, reading nothing beyond it."""
        lines = []
        while (line := self.response.readline().decode()) not in {"\n", ""}:
            lines.append(line)
        (event,) = events("".join(lines))
        return event

    def close(self) -> None:
        """Close the connection."""
        self.response.close()
        self._connection.close()


@pytest.fixture(scope="module", autouse=True)
def scripted_url() -> Iterator[str]:
    """Run a server with scripted executions on few threads."""
    with buntime_serve(*_SUMS, "--threads", "2") as server:
        yield server.url


@pytest.fixture(scope="module", autouse=True)
def bun_url() -> Iterator[str]:
    """Run a server with a real Bun and the default number of threads."""
    with buntime_serve() as server:
        yield server.url


@pytest.fixture
def connection(scripted_url: str) -> Iterator[http.client.HTTPConnection]:
    """Connect to the scripted server."""
    with closing(_connect(scripted_url)) as connection:
        yield connection


def test_any_client_can_use_it(connection: http.client.HTTPConnection) -> None:
    """A session's whole life over one connection, without code of buntime on the client's side."""
    status, headers, created = _request(connection, "POST", "/sessions/create", {"metadata": {"name": "é"}})
    assert (200, "application/json") == (status, headers["Content-Type"])
    socket = connection.sock
    named = {"sessionId": created["sessionId"]}

    written = _request(connection, "POST", "/files/write", {**named, "path": "a b/é.txt", "content": "é"})
    assert (200, {"path": "a b/é.txt", "size": 2}) == (written[0], written[2])
    query = f"sessionId={created['sessionId']}&path=a%20b"
    listed = _request(connection, "GET", f"/files/list?{query}")
    assert ["a b/é.txt"] == [file["path"] for file in listed[2]["files"]]
    read = _request(connection, "GET", f"/files/read?{query}%2F%C3%A9.txt")
    assert "é" == read[2]["content"]
    executed = _request(connection, "POST", "/execute", {**named, "code": "console.log(1 + 1)"})
    assert ("2\n", "é\n", 0) == tuple(executed[2][name] for name in ("stdout", "stderr", "exitCode"))
    info = _request(connection, "GET", f"/sessions/{created['sessionId']}")
    assert (1, {"name": "é"}) == (info[2]["filesCount"], info[2]["metadata"])
    assert {"killed": 0, "pids": []} == _request(connection, "POST", "/execution/kill", named)[2]
    deleted = _request(connection, "DELETE", f"/sessions/{created['sessionId']}")
    assert {"deleted": True, **named} == deleted[2]
    assert 404 == _request(connection, "GET", f"/sessions/{created['sessionId']}")[0]
    assert socket is connection.sock


def test_a_stream_ends_its_connection(scripted_url: str) -> None:
    """A stream announces that it closes the connection, and does so after its events."""
    with closing(_Stream(scripted_url, _create(scripted_url), "console.log(1 + 1)")) as stream:
        assert ("text/event-stream", "no-store", "close") == tuple(
            stream.response.headers[name] for name in ("Content-Type", "Cache-Control", "Connection")
        )
        assert ("stdout", {"text": "2\n"}) == stream.event()
        assert ("stderr", {"text": "é\n"}) == stream.event()
        assert "result" == stream.event()[0]
        assert b"" == stream.response.read()


def test_head_leaves_the_connection_usable(connection: http.client.HTTPConnection) -> None:
    """A response to HEAD has no body that would precede the next response."""
    connection.request("HEAD", "/execute")
    response = connection.getresponse()
    response.read()
    socket = connection.sock
    assert (405, "POST") == (response.status, response.headers["Allow"])
    assert 404 == _request(connection, "GET", "/sessions/ses_none")[0]
    assert socket is connection.sock


def test_an_oversized_body_is_rejected(connection: http.client.HTTPConnection) -> None:
    """The error has the API's format."""
    connection.request("POST", "/execute", bytes(100 * 2**20 + 1), _JSON)
    response = connection.getresponse()
    assert (413, "request_too_large") == (response.status, json.loads(response.read())["error"]["code"])


def test_idle_connections_do_not_block_others(scripted_url: str) -> None:
    """Hundreds of idle connections, as client pools keep them, do not block new ones on two threads."""
    with ExitStack() as stack:
        address = urlsplit(scripted_url)
        for _ in range(300):
            stack.enter_context(socket.create_connection((address.hostname, address.port), _PATIENCE))
        assert _create(scripted_url).startswith("ses_")


def test_incomplete_requests_do_not_block_others(scripted_url: str) -> None:
    """If they exceed the server's connections, the oldest are closed."""
    with ExitStack() as stack:
        address = urlsplit(scripted_url)
        for _ in range(650):
            half = socket.create_connection((address.hostname, address.port), _PATIENCE)
            stack.enter_context(half)
            half.sendall(b"POST /sessions/create HTTP/1.1\r\nHost: loc")
        assert _create(scripted_url).startswith("ses_")


def test_requests_are_logged() -> None:
    """Each request is one line on stderr, with its path percent-encoded; also one that is not HTTP."""
    with _process(*_SUMS, stderr=subprocess.PIPE) as (url, process):
        _create(url)
        with closing(_connect(url)) as connection:
            assert 404 == _request(connection, "GET", "/nothing%0A%1B?query")[0]
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), _PATIENCE) as malformed:
            malformed.sendall(b"GET /\x1b[2J HTTP/1.1\r\nContent-Length: -1\r\n\r\n")
            assert malformed.recv(12) == b"HTTP/1.1 400"
            while malformed.recv(4096):
                pass
        process.terminate()
        assert process.stderr is not None
        lines = process.stderr.read().splitlines()
    # A line is written after its response is sent, so that the next request may be logged first.
    assert [
        "127.0.0.1 - - 400 Bad Request",
        "127.0.0.1 GET /nothing%0A%1B 404",
        "127.0.0.1 POST /sessions/create 200",
    ] == sorted(re.sub(r"^[-0-9]+ [0-9:,]+ (.*?)( \d+ ms)?$", r"\1", line) for line in lines)


def test_a_fake_fails_as_planned() -> None:
    """A lost connection becomes a 502, and an error of a handler a 500 that contains its message."""
    with (
        buntime_serve("--fake", f"{_FAKES}:failing") as server,
        closing(_connect(server.url)) as connection,
    ):
        connection.request("POST", "/sessions/create")
        response = connection.getresponse()
        assert (502, "text/plain") == (response.status, response.headers["Content-Type"])
        assert b"planned failure" in response.read()
        body = {"sessionId": _create(server.url), "code": "fail()"}
        status, _, response = _request(connection, "POST", "/execute", body)
        assert (500, "internal_error") == (status, response["error"]["code"])
        assert "the handler failed" in response["error"]["message"]


def test_the_key_is_checked() -> None:
    """With --api-key or the environment variable, a wrong or missing key gets status 401."""
    for arguments, environment in (
        (("--api-key", _KEY), {}),
        ((), {"BUNTIME_SERVE_API_KEY": _KEY}),
    ):
        with (
            buntime_serve(*_SUMS, *arguments, environment=environment) as server,
            closing(_connect(server.url)) as connection,
        ):
            for header in ({}, {"Authorization": "Bearer wrong"}):
                status, headers, body = _request(connection, "GET", "/sessions/ses_1", headers=header)
                assert (401, "Bearer") == (status, headers["WWW-Authenticate"])
                assert "unauthorized" == body["error"]["code"]
            right = {"Authorization": f"Bearer {_KEY}"}
            assert 404 == _request(connection, "GET", "/sessions/ses_1", headers=right)[0]


def test_the_limits_of_a_plan() -> None:
    """Every response has rate-limit headers, and exceeding the limit returns 429."""
    fake = f"{_FAKES}:on_the_free_plan"
    with buntime_serve("--fake", fake) as server, closing(_connect(server.url)) as connection:
        _, headers, _ = _request(connection, "POST", "/sessions/create")
        assert ("100", "99") == (headers["X-RateLimit-Limit"], headers["X-RateLimit-Remaining"])
        assert int(headers["X-RateLimit-Reset"]) > 1_700_000_000
        limited = [_request(connection, "GET", "/sessions/ses_1") for _ in range(100)][-1]
        assert (429, "rate_limit_exceeded") == (limited[0], limited[2]["error"]["code"])
        assert 1 <= int(limited[1]["Retry-After"]) <= 60


def test_output_arrives_during_the_execution(bun_url: str) -> None:
    """The first event arrives before the program may continue."""
    session_id = _create(bun_url)
    with closing(_Stream(bun_url, session_id, _WAITS)) as stream:
        assert ("stdout", {"text": "first\n"}) == stream.event()
        _release(bun_url, session_id)
        assert ("stdout", {"text": "second\n"}) == stream.event()
        kind, result = stream.event()
        assert ("result", 0, "first\nsecond\n") == (kind, result["exitCode"], result["stdout"])


def test_a_silent_execution_sends_headers(bun_url: str) -> None:
    """Status and headers arrive before any output."""
    session_id = _create(bun_url)
    silent = _WAITS.replace('console.log("first");', "")
    with closing(_Stream(bun_url, session_id, silent)) as stream:
        assert 200 == stream.response.status
        _release(bun_url, session_id)
        assert ("stdout", {"text": "second\n"}) == stream.event()


def test_twenty_streams_run_concurrently(bun_url: str) -> None:
    """All of them start before one may end, and each ends correctly."""
    session_id = _create(bun_url)
    with ExitStack() as stack, ThreadPoolExecutor(20) as threads:

        def begin(number: int) -> _Stream:
            name = {"NUMBER": str(number)}
            code = _WAITS.replace('"second"', "process.env.NUMBER")
            return _Stream(bun_url, session_id, code, env=name, timeout=_PATIENCE)

        streams = [stack.enter_context(closing(stream)) for stream in threads.map(begin, range(20))]
        assert [("stdout", {"text": "first\n"})] * 20 == [stream.event() for stream in streams]
        _release(bun_url, session_id)
        assert [{"text": f"{number}\n"} for number in range(20)] == [stream.event()[1] for stream in streams]
        assert ["result"] * 20 == [stream.event()[0] for stream in streams]


def _release(url: str, session_id: str) -> None:
    with closing(_connect(url)) as connection:
        body = {"sessionId": session_id, "path": "go", "content": ""}
        assert 200 == _request(connection, "POST", "/files/write", body)[0]


@contextmanager
def _process(*arguments: str, **options: Any) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``buntime serve`` and yield its URL; the test ends the process."""
    command = [sys.executable, "-m", "buntime", "serve", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            match = re.fullmatch(r"buntime serves on (http://127\.0\.0\.1:\d+) \(Ctrl-C ends it\)\n", line)
            assert match, line
            yield match[1], process
        finally:
            process.kill()


def _pids_with_mark(mark: str) -> set[int]:
    return {pid for pid in all_pids() if mark.encode() in read_proc(pid, "environ")}


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found by /proc")
@pytest.mark.parametrize("isolation", ["required", "none"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_executions_and_removes_files(
    number: int, isolation: str, temporary_folder: Path, tmp_path: Path
) -> None:
    """The exit code is 0, the client receives a final event, and no process or folder remains."""
    mark = f"mark-{tmp_path}"
    before = {path.name for path in temporary_folder.iterdir()}
    with _process("--isolation", isolation) as (url, process):
        session_id = _create(url)
        with closing(_Stream(url, session_id, _RUNS_FOREVER, env={"MARK": mark})) as stream:
            assert ("stdout", {"text": "first\n"}) == stream.event()
            assert _pids_with_mark(mark)
            os.kill(process.pid, number)
            kind, data = stream.event()
            assert (kind, data.get("exitCode")) == ("result", 137) or kind == "error", data
        assert 0 == process.wait(_PATIENCE)
        assert set() == _pids_with_mark(mark)
    assert before == {path.name for path in temporary_folder.iterdir()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_idle_server(number: int) -> None:
    """The exit code is 0, whatever connections are open."""
    with (
        _process(*_SUMS) as (url, process),
        closing(_connect(url)) as connection,
    ):
        assert 200 == _request(connection, "POST", "/sessions/create")[0]
        process.send_signal(number)
        assert 0 == process.wait(_PATIENCE)
        assert b"" == connection.sock.recv(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "0.0.0.0"], "0.0.0.0 can be reached from other machines; give an --api-key"),
        (["--fake", "x"], "--fake takes MODULE:FUNCTION, not 'x'"),
        (["--fake", "no_such_module:f"], "--fake no_such_module:f: cannot import no_such_module: No module"),
        (["--fake", f"{_FAKES}:no_such"], f"--fake {_FAKES}:no_such: {_FAKES} has no function no_such"),
        (
            ["--fake", f"{_FAKES}:nothing"],
            f"--fake {_FAKES}:nothing: nothing() returned NoneType, not a FakeTransport",
        ),
        (["--fake", f"{_FAKES}:sums", "--plan", "free"], "--fake runs no code"),
        (["--threads", "0"], "--threads is 0; it must be at least 1"),
        (["--port", "65536"], "--port is 65536; it must be from 0 to 65535"),
    ],
)
def test_invalid_arguments_are_reported(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error is on stderr, with buntime's exit code, and nothing is started."""
    monkeypatch.setattr(sys, "path", [*sys.path])  # the command adds the current folder
    assert 125 == main(["serve", *arguments])
    ended = capsys.readouterr()
    assert "" == ended.out
    assert ended.err.startswith(f"buntime: {message}")
