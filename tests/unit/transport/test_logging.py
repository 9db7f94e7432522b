"""LoggingTransport: requests and responses in the log, without secrets."""

from __future__ import annotations

import io
import logging

import pytest

from buntime.runloop import RunloopSDK
from buntime.transport import Body, FunctionTransport, LoggingTransport, Request, Response

_BODY = b'{"name": "box", "environment_variables": {"GREETING": "hi-there"}, "password": "hunter2hunter2"}'
_REQUEST = Request(
    "POST",
    "/v1/devboxes",
    headers=(("Authorization", "Bearer rk_of_the_tests"), ("X-Team", "docs")),
    body=_BODY,
)


def _send(request: Request, response: Response) -> bytes:
    return LoggingTransport(FunctionTransport(lambda _: response)).send(request).read()


def test_request_and_response_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Headers and JSON bodies are in the log, credentials and secret values are not."""
    caplog.set_level(logging.DEBUG, "buntime")
    answer = b'{"id": "dbx_1", "auth_token": "token-of-the-tunnel", "echo": "rk_of_the_tests"}'
    assert answer == _send(
        _REQUEST, Response(200, {"Set-Cookie": "session=1", "X-Request-Id": "r1"}, [answer])
    )

    for text in (
        "request: POST /v1/devboxes",
        "'X-Team': 'docs'",
        '"name": "box"',
        "200",
        '"id": "dbx_1"',
        "r1",
    ):
        assert text in caplog.text
    for secret in ("rk_of_the_tests", "hunter2", "hi-there", "token-of-the-tunnel", "session=1"):
        assert secret not in caplog.text


def test_bodies_that_are_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """A long body is cut, and of one that is not JSON, or a file, the log has the size."""
    caplog.set_level(logging.DEBUG, "buntime")
    long = b'["' + b"x" * 9000 + b'"]'
    _send(Request("POST", "/a", body=b"key=of-a-form"), Response(200, {}, [long]))
    assert "(13 bytes)" in caplog.text
    assert "of-a-form" not in caplog.text
    assert "... (9004 bytes)" in caplog.text
    assert len(caplog.text) < 4000
    opened: list[int] = []

    def open_body() -> io.BytesIO:
        opened.append(1)
        return io.BytesIO(b"x")

    _send(Request("POST", "/a", body=Body(open_body, 1)), Response(200, {}, [b"x" * 100_000]))
    assert "(100000 bytes)" in caplog.text
    assert [] == opened


def test_stream_is_passed_on_as_it_arrives(caplog: pytest.LogCaptureFixture) -> None:
    """A response is not read ahead, and its end is logged even if it is closed early."""
    caplog.set_level(logging.DEBUG, "buntime")
    sent: list[int] = []

    def chunks() -> object:
        for number in range(3):
            sent.append(number)
            yield b"data"

    response = LoggingTransport(
        FunctionTransport(lambda _: Response(200, {}, chunks()))  # type: ignore[arg-type]  # a generator
    ).send(Request("GET", "/stream"))
    assert b"data" == next(response.chunks)
    assert [0] == sent


def test_nothing_is_done_without_debug(caplog: pytest.LogCaptureFixture) -> None:
    """Above DEBUG the response is that of the inner transport."""
    caplog.set_level(logging.INFO, "buntime")
    response = Response(200, {}, [b"x"])
    assert response is LoggingTransport(FunctionTransport(lambda _: response)).send(_REQUEST)


def test_variables_of_runloop(monkeypatch: pytest.MonkeyPatch) -> None:
    """``DEBUG=true`` and ``RUNLOOP_LOG=debug`` log the bodies of Runloop's requests; ``info`` does not."""
    for name, value, logs in (
        ("DEBUG", "true", True),
        ("RUNLOOP_LOG", "debug", True),
        ("RUNLOOP_LOG", "info", False),
    ):
        with monkeypatch.context() as context:
            context.setenv(name, value)
            context.setattr("buntime.client.settings.print_logs", lambda _level: None)
            client = RunloopSDK(transport=FunctionTransport(lambda _: Response(200)))
            assert logs == isinstance(client._connection.caller.transport, LoggingTransport)
