"""One client and many threads, on real sockets."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from urllib.parse import parse_qs, urlsplit

import pytest

from buntime import Buntime
from buntime.transport import FakeTransport, HTTPTransport, ScriptedExecution
from tests.support import responses
from tests.support.loopback import Exchange, LoopbackServer

_THREADS = 64
_ROUNDS = 4
_POOL_SIZE = 10


class _Echo:
    """Echoes each request; the first of each thread waits for all threads."""

    def __init__(self) -> None:
        self._first = threading.Barrier(_THREADS)

    def __call__(self, exchange: Exchange) -> None:
        parts = urlsplit(exchange.request.target)
        if parts.path == "/execute":
            self._execute(exchange, json.loads(exchange.request.body))
        elif parts.path == "/files/read":
            path = parse_qs(parts.query)["path"][0]
            _respond(exchange, {**responses.READ, "path": path, "content": path})
        else:
            if parts.path.endswith("-0"):
                self._first.wait(60)
            _respond(exchange, {**responses.INFO, "sessionId": parts.path.removeprefix("/sessions/")})

    @staticmethod
    def _execute(exchange: Exchange, body: dict[str, str]) -> None:
        result = {**responses.RESULT, "stdout": body["code"]}
        if "stream" not in body:
            _respond(exchange, result)
            return
        exchange.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        for text in body["code"]:
            exchange.chunk(responses.event("stdout", {"text": text}))
        exchange.chunk(responses.event("result", result))
        exchange.chunk(b"")


def _respond(exchange: Exchange, body: object) -> None:
    exchange.reply(200, json.dumps(body).encode(), [("Content-Type", "application/json")])


def _calls(client: Buntime, thread: int) -> list[str]:
    """Send requests of every kind, all different, and return those that received a wrong response."""
    wrong = []
    for number in range(_ROUNDS):
        token = f"{thread}-{number}"
        session_id = client.sessions.info(token).id
        with client.stream(session_id="ses_1", code=f"stream {token}") as stream:
            streamed = "".join(event.text for event in stream)
        actual = (
            session_id,
            client.execute(session_id="ses_1", code=f"code {token}").stdout,
            client.files.read(session_id="ses_1", path=f"file {token}"),
            streamed,
        )
        if actual != (token, f"code {token}", f"file {token}", f"stream {token}"):
            wrong.append(f"{token}: {actual}")
    return wrong


def test_responses_reach_the_right_thread(caplog: pytest.LogCaptureFixture) -> None:
    """Of 64 concurrent threads, each receives its own responses; extra connections are closed silently."""
    with (
        caplog.at_level(logging.WARNING),
        LoopbackServer(_Echo()) as server,
        Buntime(transport=HTTPTransport(server.url, pool_maxsize=_POOL_SIZE), max_retries=0) as client,
        ThreadPoolExecutor(_THREADS) as threads,
    ):
        wrong = threads.map(lambda thread: _calls(client, thread), range(_THREADS))
        assert [] == list(chain.from_iterable(wrong))
        server.wait_for(lambda server: server.open_connections <= _POOL_SIZE)
        assert _THREADS * _ROUNDS * 4 == len(server.requests)
        assert server.connections >= _THREADS
    assert [] == caplog.records


def test_an_open_stream_does_not_block_other_requests() -> None:
    """Another request succeeds meanwhile, even if the pool keeps one connection only."""
    answered = threading.Event()

    def stream(exchange: Exchange) -> None:
        exchange.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        exchange.wait(answered)
        exchange.chunk(responses.event("result", responses.RESULT))
        exchange.chunk(b"")

    with (
        LoopbackServer(stream, lambda exchange: _respond(exchange, responses.INFO)) as server,
        Buntime(transport=HTTPTransport(server.url, pool_maxsize=1), timeout=20, max_retries=0) as client,
        client.stream(session_id="ses_1", code="1") as running,
    ):
        assert "active" == client.sessions.info("ses_1").state
        answered.set()
        assert [] == list(running)
        assert (0, 2) == (running.result.exit_code, server.connections)
        server.wait_for(lambda server: server.open_connections == 1)


def test_responses_of_a_fake_reach_the_right_thread() -> None:
    """Responses, files and sessions of a fake are not mixed up."""

    def echo(execution: ScriptedExecution) -> str:
        return f"{execution.code} {execution.workspace.read('name.txt').decode()}"

    fake = FakeTransport()
    fake.on_execute(contains="code", handler=echo)

    def calls(thread: int) -> bool:
        with client.sessions.create(metadata={"thread": thread}) as session:
            session.files.write("name.txt", f"{thread}")
            expected = [f"code {number} {thread}" for number in range(_ROUNDS)]
            actual = [session.execute(f"code {number}").stdout for number in range(_ROUNDS)]
            return expected == actual and {"thread": thread} == session.info().metadata

    with Buntime(transport=fake) as client, ThreadPoolExecutor(_THREADS) as threads:
        assert all(threads.map(calls, range(_THREADS)))
        assert {} == fake.sessions
        assert _THREADS * (_ROUNDS + 4) == len(fake.calls)
