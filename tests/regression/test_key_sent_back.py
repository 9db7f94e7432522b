"""A service, or a proxy, that sent the API key back had it shown in the error."""

from __future__ import annotations

import json
import traceback

import pytest

from buntime import Buntime, BuntimeError
from buntime.transport import FunctionTransport, Request, Response

KEY = "btk_sent_back_by_a_proxy"
ECHO = f"You sent Authorization: Bearer {KEY}"


def _answers() -> dict[str, Response]:
    details = {"error": {"code": "x", "message": ECHO, "details": {"headers": [ECHO], KEY: 1}}}
    event = f'event: error\ndata: {{"error": {{"message": "{ECHO}"}}}}\n\n'
    return {
        "page": Response(502, {"Content-Type": "text/html"}, [ECHO.encode()]),
        "good page": Response(200, {"Content-Type": "text/html"}, [ECHO.encode()]),
        "envelope": Response(401, (), [json.dumps(details).encode()]),
        "redirect": Response(302, {"Location": f"https://elsewhere.invalid/?key={KEY}"}, [ECHO.encode()]),
        "stream": Response(200, {"Content-Type": "text/event-stream"}, [event.encode()]),
        "refused stream": Response(500, (), [ECHO.encode()]),
    }


@pytest.mark.parametrize("name", list(_answers()))
def test_what_is_sent_back_is_hidden(name: str) -> None:
    """Neither the text of the error nor any of its attributes has the key."""

    def answer(_request: Request) -> Response:
        return _answers()[name]

    client = Buntime(KEY, transport=FunctionTransport(answer), max_retries=0)
    with client, pytest.raises(BuntimeError) as caught:
        _call(client, stream="stream" in name)
    error = caught.value
    shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    for text in (str(error), repr(error), repr(vars(error)), repr(error.args), shown):
        assert KEY not in text
    assert "[hidden]" in repr(vars(error))


def _call(client: Buntime, *, stream: bool) -> None:
    if stream:
        list(client.stream(session_id="ses_1", code="1"))
    else:
        client.sessions.info("ses_1")
