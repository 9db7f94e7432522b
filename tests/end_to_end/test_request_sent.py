"""The work that a request names is done while the service works."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Callable

import attrs
import pytest

from buntime.cassette.file import load
from buntime.transport import HTTPTransport, MiddlewareTransport, RecordingTransport, Request, Response
from tests.support.loopback import Exchange, LoopbackServer

_SECRET = "a value of 22 letters"


@pytest.mark.parametrize("body", [None, b"{}"])
def test_a_request_is_sent_before_its_work(body: bytes | None) -> None:
    """It is called once, in the thread that sends, and the response comes after it."""
    called: list[int] = []
    answer = threading.Event()

    def respond(exchange: Exchange) -> None:
        exchange.wait(answer)
        exchange.reply(200, b"{}")

    with LoopbackServer(respond) as server:
        transport = HTTPTransport(server.url)

        def work() -> None:
            server.wait_for(lambda server: len(server.requests) == 1)
            called.append(threading.get_ident())
            answer.set()

        request = Request("POST", "/execute", body=body, on_sent=work)
        assert b"{}" == transport.send(request).read()
        transport.close()
    assert [threading.get_ident()] == called
    assert request == attrs.evolve(request, on_sent=None)
    assert "on_sent" not in repr(request)


def test_the_work_is_not_part_of_the_total_timeout() -> None:
    """It may take longer than the wait for the response."""
    with LoopbackServer() as server:
        transport = HTTPTransport(server.url)
        wait = threading.Event().wait
        request = Request("GET", "/sessions/ses_1", total_timeout=1, on_sent=lambda: wait(1.1))
        assert b"{}" == transport.send(request).read()
        transport.close()


def test_a_recording_serializes_a_request_while_the_service_works(tmp_path: Path) -> None:
    """Also if two recordings and the user have work; a large request is serialized before it is sent."""
    small, large = "1", "1;" * 40_000
    before: list[bool] = []
    sent: list[str] = []
    recordings: list[RecordingTransport] = []
    with LoopbackServer() as server:

        def pending() -> dict[str, Any]:
            (pending,) = recordings[0]._recorder._pending.values()
            return pending.serialized

        def send(request: Request, send: Callable[[Request], Response]) -> Response:
            before.append(bool(pending()))
            return send(request)

        def work() -> None:
            sent.append(pending()["json"]["code"])

        http = MiddlewareTransport(HTTPTransport(server.url), send)
        inner = RecordingTransport(tmp_path / "inner.json", http)
        outer = RecordingTransport(tmp_path / "outer.json", inner)
        recordings += [inner, outer]
        for code in (small, large):
            body = b'{"sessionId": "ses_1", "code": "%b", "env": {"A": "%b"}}' % (
                code.encode(),
                _SECRET.encode(),
            )
            headers = (("Content-Type", "application/json"),)
            with outer.send(
                Request("POST", "/execute", headers=headers, body=body, on_sent=work)
            ) as response:
                response.read()
        outer.close()
    assert [False, True] == before
    assert [small, large] == sent
    for name in ("inner.json", "outer.json"):
        assert _SECRET not in (tmp_path / name).read_text("utf-8")
        first, second = load(tmp_path / name).interactions
        assert [small, large] == [first.request["json"]["code"], second.request["json"]["code"]]
