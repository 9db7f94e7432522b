"""Connections of the server: rejected bodies, slow clients, threads for short requests."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import attrs
from waitress.adjustments import Adjustments

from buntime._http import Secret
from buntime.service.requests import MAX_BODY
from buntime.service.server.access import AccessControl
from buntime.service.server.connections import (
    IDLE_TIMEOUT,
    REQUEST_TIMEOUT,
    Dispatcher,
    channel_class,
    close_stale,
)
from tests.support.cases import in_one_test

_ACCESS = AccessControl(Secret("right"))
_KEY = b"Authorization: Bearer right\r\n"


def _parser(*headers: bytes, access: AccessControl = _ACCESS, host: bytes = b"localhost") -> Any:
    parser = channel_class(access).parser_class(Adjustments(max_request_body_size=MAX_BODY + 1))
    parser.received(b"POST /execute HTTP/1.1\r\nHost: " + host + b"\r\n" + b"".join(headers) + b"\r\n")
    return parser


def test_an_accepted_body_is_stored() -> None:
    """The request is complete with its last byte."""
    parser = _parser(_KEY, b"Content-Length: 5\r\n")
    parser.received(b"he")
    assert not parser.completed
    parser.received(b"llo")
    assert parser.completed
    assert b"hello" == parser.get_body_stream().read()


@in_one_test("chunked", [False, True])
@in_one_test("reason", ["no key", "foreign host", "foreign page"])
def test_the_body_of_a_refused_request_is_not_stored(reason: str, chunked: bool) -> None:
    """It is read, so that the client receives the response, but takes neither memory nor disk."""
    size = 3 * 2**20
    head = b"Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {size}\r\n".encode()
    if reason == "foreign page":
        head += b"Origin: http://page.invalid\r\n"
    parser = _parser(
        head,
        access=_ACCESS if reason == "no key" else AccessControl(loopback_only=True),
        host=b"page.invalid" if reason == "foreign host" else b"localhost",
    )
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, bytes(size)) if chunked else bytes(size)
    for start in range(0, len(body), 2**18):
        assert not parser.completed
        parser.received(body[start : start + 2**18])
    assert parser.completed
    assert parser.error is None
    assert b"" == parser.get_body_stream().read()


def test_a_body_that_is_too_large_is_not_stored() -> None:
    """The application rejects it with an error of the API, by its Content-Length."""
    parser = _parser(_KEY, f"Content-Length: {MAX_BODY + 1}\r\n".encode())
    parser.received(bytes(2**20))
    assert (parser.completed, parser.error) == (False, None)
    assert b"" == parser.body_rcv.getfile().read()


def test_a_rejected_client_that_expects_100_continue_sends_no_body() -> None:
    """It gets the response in place of ``100 Continue``, and its connection ends."""
    parser = _parser(b"Content-Length: 1000\r\nExpect: 100-continue\r\n")
    assert (True, False, True) == (parser.completed, parser.expect_continue, parser.connection_close)


@attrs.define(eq=False)
class _Channel:
    """The attributes of a connection that the server reads."""

    last_activity: float = attrs.Factory(time.time)
    request: Any = None
    requests: list[Any] = attrs.Factory(list)
    will_close: bool = False
    service: Any = None


def _half_sent(seconds: float, access: AccessControl = _ACCESS) -> _Channel:
    """Return a connection whose request began so many seconds ago, and still arrives slowly."""
    parser: Any = channel_class(access).parser_class(Adjustments())
    parser.received(b"GET / HTT")
    parser.started -= seconds
    return _Channel(request=parser)


def test_headers_must_arrive_in_time() -> None:
    """However recent its last byte."""
    fresh, stale = _half_sent(REQUEST_TIMEOUT - 5), _half_sent(REQUEST_TIMEOUT + 5)
    close_stale([fresh, stale], limit=10)
    assert (False, True) == (fresh.will_close, stale.will_close)


def test_an_idle_connection_is_closed() -> None:
    """But not immediately, since clients keep connections for later requests."""
    fresh, idle = (_Channel(last_activity=time.time() - IDLE_TIMEOUT - age) for age in (-5, 5))
    close_stale([fresh, idle], limit=10)
    assert (False, True) == (fresh.will_close, idle.will_close)


def test_too_many_connections_close_the_oldest() -> None:
    """Connections with a request in progress stay open."""
    answering = _Channel(last_activity=0, requests=[object()])
    idle = [_Channel(last_activity=time.time() - age) for age in (1, 2, 3)]
    half_sent = _half_sent(10)
    close_stale([*idle, answering, half_sent], limit=2)
    assert [False, False, True] == [channel.will_close for channel in idle]
    assert (False, True) == (answering.will_close, half_sent.will_close)


def test_short_requests_have_separate_threads() -> None:
    """They end while executions occupy all of the other threads."""
    started, release, done = threading.Event(), threading.Event(), threading.Event()

    def execute() -> None:
        started.set()
        release.wait(60)

    def channel(path: str, service: Any) -> _Channel:
        return _Channel(requests=[SimpleNamespace(path=path)], service=service)

    dispatcher = Dispatcher(threads=1)
    try:
        dispatcher.add_task(channel("/execute", execute))
        assert started.wait(60)
        dispatcher.add_task(channel("/sessions/ses_1", done.set))
        assert done.wait(60)
    finally:
        release.set()
        dispatcher.shutdown()
