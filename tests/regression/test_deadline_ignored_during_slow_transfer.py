"""A deadline was ignored while bytes trickled in or out, and an execution without one could take forever."""

from __future__ import annotations

import socket
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import product
from typing import Any, Callable

import pytest
import requests

from buntime import APIConnectionError, APITimeoutError, Buntime, Session
from buntime.engine.hooks import CallHooks
from buntime.transport import (
    FakeTransport,
    FunctionTransport,
    HTTPTransport,
    MiddlewareTransport,
    Request,
    Response,
)
from tests.support import responses
from tests.support.archives import small_archive
from tests.support.cases import in_one_test
from tests.support.exchanges import PATIENT
from tests.support.loopback import Exchange, LoopbackServer, hold
from tests.support.scripted import ScriptedTransport, always

_PAUSE = 0.05
_COUNT = 400
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = _HEAD + b"Transfer-Encoding: chunked\r\n"


def _trickling(before: bytes, piece: bytes) -> Callable[[Exchange], None]:
    """Return a handler that sends the beginning of a response, then repeats one piece."""

    def handle(exchange: Exchange) -> None:
        exchange.send(before)
        for _ in range(_COUNT):
            exchange.send(piece)
            time.sleep(_PAUSE)

    return handle


def _empty_blocks() -> bytes:
    compressor = zlib.compressobj(wbits=31)
    return compressor.compress(b"") + compressor.flush(zlib.Z_SYNC_FLUSH)


_EMPTY_BLOCK = b"\x00\x00\x00\xff\xff"
_FILE = {"path": "a", "size": 1, "type": "file"}

TRICKLES = {
    "status line": _trickling(b"HTTP/1.1 200 ", b"O"),
    "headers": _trickling(_HEAD, b"X: y\r\n"),
    "a header": _trickling(_HEAD + b"X: ", b"y"),
    "an interim response": _trickling(b"HTTP/1.1 103 Early Hints\r\nX: ", b"y"),
    "interim responses": _trickling(b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "a chunk extension": _trickling(_CHUNKED + b"\r\n5;a=", b"y"),
    "trailers": _trickling(_CHUNKED + b"\r\n2\r\n{}\r\n0\r\n", b"X: y\r\n"),
    "white space": _trickling(_CHUNKED + b"\r\n", b"1\r\n \r\n"),
    "bytes of a body": _trickling(_HEAD + b"Content-Length: 9999\r\n\r\n", b" "),
    "gzip of nothing": _trickling(
        _HEAD + b"Content-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n" + _empty_blocks(), _EMPTY_BLOCK
    ),
    "nothing": hold,
}


@contextmanager
def _ends_in_time() -> Iterator[None]:
    """The block ends long before the server does, on a loaded machine, too."""
    started = time.monotonic()
    yield
    assert time.monotonic() - started < _COUNT * _PAUSE * 0.7


@in_one_test(
    ("trickle", "is_own"),
    [*((name, True) for name in TRICKLES), ("headers", False), ("white space", False)],
    at_once=True,
)
def test_a_call_ends_with_its_deadline(trickle: str, is_own: bool) -> None:
    """A deadline ends every kind of slow response, over the transport's own session and a user's."""
    with LoopbackServer(TRICKLES[trickle]) as server, requests.Session() as session:
        transport = HTTPTransport(server.url, session=None if is_own else session)
        with (
            Buntime(transport=transport, deadline=1, max_retries=0) as client,
            _ends_in_time(),
            pytest.raises(APITimeoutError) as caught,
        ):
            client.sessions.info("ses_1")
    assert "read" == caught.value.phase


EXECUTIONS: dict[str, Callable[[Buntime], object]] = {
    "execute": lambda client: client.execute(session_id="ses_1", code="1", timeout=1),
    "stream": lambda client: list(client.stream(session_id="ses_1", code="1", timeout=1)),
}


@in_one_test(("call", "trickle"), product(EXECUTIONS, ("headers", "white space", "comments")), at_once=True)
def test_an_execution_ends_without_a_deadline(call: str, trickle: str) -> None:
    """The limit is the execution's time limit plus the client's timeout, in total."""
    comments = _trickling(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"e\r\n: keep-alive\n\n\r\n",
    )
    with (
        LoopbackServer(comments if trickle == "comments" else TRICKLES[trickle]) as server,
        Buntime("key", base_url=server.url, timeout=0.2, max_retries=0) as client,
        _ends_in_time(),
        pytest.raises(APITimeoutError) as caught,
    ):
        EXECUTIONS[call](client)
    assert caught.value.maybe_executed


def test_a_deadline_holds_while_a_body_is_sent() -> None:
    """The deadline applies to a server that reads slowly, even though each single write is quick."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        accepted: list[socket.socket] = []
        over = threading.Event()

        def read_slowly() -> None:
            connection = stack.enter_context(listener.accept()[0])
            accepted.append(connection)
            while not over.wait(_PAUSE):
                connection.recv(65536)

        thread = threading.Thread(target=read_slowly)
        thread.start()
        transport = HTTPTransport(f"http://127.0.0.1:{listener.getsockname()[1]}")
        request = Request(
            "POST", "/", body=bytes(64 << 20), connect_timeout=20, read_timeout=20, deadline=0.4
        )
        with closing(transport), _ends_in_time(), pytest.raises(APITimeoutError) as caught:
            transport.send(request)
        over.set()
        thread.join()
    assert "send" == caught.value.phase


def test_time_between_reads_does_not_count() -> None:
    """The time that a program takes between reads of its stream does not count."""
    events = [responses.event("stdout", {"text": "."})] * 4 + [responses.event("result", responses.RESULT)]

    def handle(exchange: Exchange) -> None:
        exchange.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        for event in events:
            exchange.chunk(event)
        exchange.chunk(b"")

    request = Request("POST", "/", body=b"{}", read_timeout=20, total_timeout=1)
    with (
        LoopbackServer(handle) as server,
        closing(HTTPTransport(server.url)) as transport,
        transport.send(request) as response,
    ):
        body = b""
        for piece in response.chunks:
            time.sleep(0.25)
            body += piece
    assert b"".join(events) == body


def test_a_complete_response_is_returned() -> None:
    """A response that has arrived before the deadline is returned."""

    def handle(exchange: Exchange) -> None:
        exchange.reply(200, b"{}" + b" " * 100_000)

    with LoopbackServer(handle) as server, closing(HTTPTransport(server.url)) as transport:
        response = transport.send(Request("POST", "/", body=b"{}", read_timeout=20, deadline=2))
        time.sleep(2.2)
        assert 100_002 == len(response.read())
        assert 100_002 == len(transport.send(PATIENT).read())
    assert 1 == server.connections


def test_a_complete_response_of_any_transport_is_returned() -> None:
    """The last chunk may arrive after the deadline."""
    transport = ScriptedTransport(always(responses.as_json, responses.INFO), takes=7)
    assert responses.INFO["sessionId"] == Buntime(transport=transport, deadline=5).sessions.info("ses_1").id


@in_one_test("call", EXECUTIONS, at_once=True)
def test_an_execution_of_any_transport_ends(call: str) -> None:
    """A response of keep-alives alone ends, even if the transport applies no limit."""

    def keep_alive(_: Request) -> Response:
        def chunks() -> Iterator[bytes]:
            while True:
                time.sleep(_PAUSE)
                yield b": keep-alive\n\n"

        return Response(200, [("Content-Type", "text/event-stream")], chunks())

    client = Buntime(transport=FunctionTransport(keep_alive), timeout=0.2)
    with _ends_in_time(), pytest.raises(APITimeoutError, match=r"did not end within 1\.2 s"):
        EXECUTIONS[call](client)


CALLS: dict[str, Callable[[Buntime], Any]] = {
    "list": lambda client: client.files.list(session_id="ses_1"),
    "write": lambda client: client.files.write(session_id="ses_1", path="a", content=b"\xff" * (8 << 20)),
    "read": lambda client: client.files.read_bytes(session_id="ses_1", path="a"),
}


@pytest.mark.parametrize("call", CALLS)
def test_one_deadline_for_a_call_of_several_requests(call: str) -> None:
    """The requests of a call share its deadline."""
    pages = [
        [{"path": f"f{page}-{item}", "size": 1, "type": "file"} for item in range(100)] for page in range(9)
    ]
    piece = {"base64": "AAAA", "size": 9999, "stamp": "1", "sha256": None}
    count = iter(range(9))

    def respond() -> Response:
        if call == "list":
            return responses.as_json({"files": pages[next(count)]})
        helper = '{"size": 1}' if call == "write" else str(piece).replace("'", '"').replace("None", "null")
        return responses.as_json(responses.result(stdout=helper))

    transport = ScriptedTransport(respond, takes=2)
    with pytest.raises(APITimeoutError, match="the deadline passed"):
        CALLS[call](Buntime(transport=transport, deadline=5))
    assert [5.0, 3.0, 1.0] == [request.deadline for request in transport.requests][:3]


_INPUT = "a" * 100_000


def _draft(session: Session) -> Callable[[], Any]:
    file = session.files.open("new", "x")
    file.write("text")
    return file.close


STEPS: dict[str, Callable[[Buntime, Session], Callable[[], Any]]] = {
    "client.execute": lambda client, session: (
        lambda: client.execute(session_id=session.id, code="1", stdin=_INPUT)
    ),
    "client.stream": lambda client, session: (
        lambda: list(client.stream(session_id=session.id, code="1", stdin=_INPUT))
    ),
    "session.execute": lambda _, session: lambda: session.execute("1", stdin=_INPUT),
    "session.stream": lambda _, session: lambda: list(session.stream("1", stdin=_INPUT)),
    "session.renew": lambda _, session: session.renew,
    "sessions.create": lambda client, _: lambda: client.sessions.create(snapshot=small_archive()),
    "files.move": lambda _, session: lambda: session.files.move("a.csv", "b.csv"),
    "files.show": lambda _, session: lambda: session.files.show("a.csv"),
    "close of files.open": lambda _, session: _draft(session),
    "path.mkdir": lambda _, session: lambda: session.files.path("d").mkdir(exist_ok=False),
}


@in_one_test("call", STEPS)
def test_one_deadline_for_all_steps_of_a_call(call: str) -> None:
    """It also includes the upload of standard input, and a look at the files before or after."""
    fake = FakeTransport()
    fake.on_execute("1", stdout="ok")
    deadlines: list[float | None] = []

    def slow(request: Request, send: Callable[[Request], Response]) -> Response:
        deadlines.append(request.deadline)
        fake.sleep(2)
        response = send(request)
        if b'"file_move' in request.content.replace(b"\\", b"") and len(deadlines) == 1:
            raise APIConnectionError("the response was lost", phase="read")
        return response

    with Buntime(transport=MiddlewareTransport(fake, slow), deadline=50, retry_delay=0) as client:
        session = client.sessions.create()
        session.files.write("a.csv", "a,b\n1,2\n")
        act = STEPS[call](client, session)
        deadlines.clear()
        act()
    assert len(deadlines) > 1
    assert [50.0 - 2 * step for step in range(len(deadlines))] == deadlines


def test_a_session_is_deleted_after_the_deadline_of_its_creation() -> None:
    """The deletion of a session whose files cannot be written has a deadline of its own."""
    fake = FakeTransport()

    def slow(request: Request, send: Callable[[Request], Response]) -> Response:
        fake.sleep(2)
        return send(request)

    client = Buntime(transport=MiddlewareTransport(fake, slow), deadline=1.5)
    with client, pytest.raises(APITimeoutError, match="the deadline passed"):
        client.sessions.create(snapshot=small_archive())
    assert ["POST", "DELETE"] == [fake.calls[0].method, fake.calls[-1].method]


def test_the_next_call_has_its_own_deadline() -> None:
    """A deadline ends with its call, even if the call fails."""
    transport = ScriptedTransport(always(responses.as_json, {"files": []}), takes=2)
    client = Buntime(transport=transport, deadline=5)
    for _ in range(3):
        client.files.list(session_id="ses_1")
    assert [5.0] * 3 == [request.deadline for request in transport.requests]


def test_a_function_receives_the_limits() -> None:
    """A custom transport receives all limits and can apply them."""
    requests_: list[Request] = []

    def respond(request: Request) -> Response:
        requests_.append(request)
        return responses.as_json(responses.RESULT)

    client = Buntime(transport=FunctionTransport(respond), timeout=5)
    client.execute(session_id="ses_1", code="1", timeout=7)
    assert (5, 12, 12, None) == (
        requests_[0].connect_timeout,
        requests_[0].read_timeout,
        requests_[0].total_timeout,
        requests_[0].deadline,
    )


def test_waits_at_a_rate_limit_are_not_counted() -> None:
    """The deadline excludes the time for which a pool delays requests, even within a call."""
    transport = ScriptedTransport(lambda: responses.as_json({"files": [_FILE] * 100}), takes=2)

    class Gate(CallHooks):
        def before_call(self) -> float:
            transport.now += 100
            return transport.now

    client = Buntime(transport=transport, deadline=5)
    client._context.caller.hooks = Gate()  # type: ignore[abstract]  # the other hooks do nothing
    client.files.list(session_id="ses_1")
    assert [5.0, 3.0] == [request.deadline for request in transport.requests]
