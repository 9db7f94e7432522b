"""An API key that a service or proxy echoed appeared in the error."""

from __future__ import annotations

import json
import traceback

import pytest

from buntime import Buntime, BuntimeError
from buntime.transport import FunctionTransport, Request, Response
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
