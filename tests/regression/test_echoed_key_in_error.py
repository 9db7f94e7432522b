"""A key or cookie that a service or proxy echoed appeared in the error."""

from __future__ import annotations

import json
import logging
import traceback

import pytest

from buntime import Buntime, BuntimeError
from buntime.transport import FunctionTransport, LoggingTransport, Request, Response
from tests.support.cases import in_one_test

KEY = "btk_sent_back_by_a_proxy"
ECHO = f"You sent Authorization: Bearer {KEY}"


def _responses() -> dict[str, Response]:
    details = {"error": {"code": "x", "message": ECHO, "details": {"headers": [ECHO], KEY: 1}}}
    event = f'event: error\ndata: {{"error": {{"message": "{ECHO}"}}}}\n\n'
    return {
        "page": Response(502, {"Content-Type": "text/html"}, [ECHO.encode()]),
        "good page": Response(200, {"Content-Type": "text/html"}, [ECHO.encode()]),
        "envelope": Response(401, (), [json.dumps(details).encode()]),
        "redirect": Response(302, {"Location": f"https://elsewhere.invalid/?key={KEY}"}, [ECHO.encode()]),
        "stream": Response(200, {"Content-Type": "text/event-stream"}, [event.encode()]),
        "stream with an error": Response(500, (), [ECHO.encode()]),
    }


@in_one_test("name", list(_responses()))
def test_an_echoed_key_is_redacted(name: str) -> None:
    """Neither the text of the error nor any of its attributes contains the key."""

    def respond(_request: Request) -> Response:
        return _responses()[name]

    client = Buntime(KEY, transport=FunctionTransport(respond), max_retries=0)
    with client, pytest.raises(BuntimeError) as caught:
        _call(client, stream="stream" in name)
    error = caught.value
    formatted = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    for text in (str(error), repr(error), repr(vars(error)), repr(error.args), formatted):
        assert KEY not in text
    assert "[hidden]" in repr(vars(error))


def _call(client: Buntime, *, stream: bool) -> None:
    if stream:
        list(client.stream(session_id="ses_1", code="1"))
    else:
        client.sessions.info("ses_1")


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("Cookie", "session=abcdef123456; theme=dark-mode", ["abcdef123456", "dark-mode"]),
        ("Cookie", "a=abcdef123456==; b=abcdef; c=1", ["abcdef123456=="]),
        ("Cookie", "a-cookie-without-a-name", ["a-cookie-without-a-name"]),
        ("X-API-Key", "key-without-a-scheme", ["key-without-a-scheme"]),
        ("Proxy-Authorization", "Basic  dXNlcjpwYXNz", ["dXNlcjpwYXNz"]),
        ("Authorization", 'Digest username="alice", response="0a1b2c3d"', ["alice", "0a1b2c3d"]),
        ("Authorization", "key-of-an-unknown-form", ["key-of-an-unknown-form"]),
        ("Cookie", " ", []),
        ("X-API-Key", " ", []),
    ],
)
def test_every_echoed_credential_is_redacted(
    name: str, value: str, secrets: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Each cookie and each scheme, in errors and in the log; an empty header has none."""
    body = json.dumps({"error": {"code": "bad", "message": f"You sent {value} for it"}}).encode()
    transport = LoggingTransport(FunctionTransport(lambda _request: Response(400, (), [body])))
    client = Buntime(transport=transport, headers={name: value})
    with client, caplog.at_level(logging.DEBUG, "buntime"), pytest.raises(BuntimeError) as caught:
        client.sessions.info("ses_1")
    for text in (str(caught.value), caplog.text):
        assert " for it" in text
        assert [] == [secret for secret in secrets if secret in text]
