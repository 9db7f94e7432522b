"""The retry table: its calls, with a successful response for each."""

from __future__ import annotations

import json
from typing import Any, Callable

import attrs

from buntime import Buntime
from buntime.transport import Response
from tests.support import responses

_SSE = "text/event-stream"
_STREAMED = responses.event("stdout", {"text": "1\n"}) + responses.event("result", responses.RESULT)


@attrs.frozen
class Row:
    """A call, its successful response, and whether it may reach the service twice."""

    name: str
    call: Callable[[Buntime], object]
    body: bytes
    idempotent: bool
    reads: bool = False
    content_type: str = "application/json"

    def response(self) -> Response:
        """Return the successful response."""
        return responses.raw(self.body, headers=[("Content-Type", self.content_type)])


def _row(
    name: str, call: Callable[[Buntime], object], body: Any, *, idempotent: bool, reads: bool = False
) -> Row:
    if isinstance(body, bytes):
        return Row(name, call, body, idempotent, reads, _SSE)
    return Row(name, call, json.dumps(body).encode(), idempotent, reads)


IDEMPOTENT = [
    _row("sessions.info", lambda c: c.sessions.info("ses_1"), responses.INFO, idempotent=True, reads=True),
    _row("sessions.delete", lambda c: c.sessions.delete("ses_1"), responses.DELETED, idempotent=True),
    _row(
        "files.list",
        lambda c: c.files.list(session_id="ses_1"),
        responses.LISTED,
        idempotent=True,
        reads=True,
    ),
    _row(
        "files.read",
        lambda c: c.files.read(session_id="ses_1", path="data.csv"),
        responses.READ,
        idempotent=True,
        reads=True,
    ),
    _row(
        "files.write",
        lambda c: c.files.write(session_id="ses_1", path="data.csv", content="x"),
        responses.WRITTEN,
        idempotent=True,
    ),
    _row(
        "execute idempotent",
        lambda c: c.execute(session_id="ses_1", code="1", idempotent=True),
        responses.RESULT,
        idempotent=True,
    ),
    _row(
        "stream idempotent",
        lambda c: list(c.stream(session_id="ses_1", code="1", idempotent=True)),
        _STREAMED,
        idempotent=True,
    ),
    _row("request GET", lambda c: c.request("GET", "/usage"), {}, idempotent=True, reads=True),
    _row("request DELETE", lambda c: c.request("DELETE", "/usage"), {}, idempotent=True),
    _row("sessions.create", lambda c: c.sessions.create(), responses.CREATED, idempotent=True),
]
ONCE = [
    _row("execute", lambda c: c.execute(session_id="ses_1", code="1"), responses.RESULT, idempotent=False),
    _row(
        "session.execute",
        lambda c: c.sessions.attach("ses_1").execute("1"),
        responses.RESULT,
        idempotent=False,
    ),
    _row("stream", lambda c: list(c.stream(session_id="ses_1", code="1")), _STREAMED, idempotent=False),
    _row("kill", lambda c: c.kill(session_id="ses_1", pid=7), responses.KILLED, idempotent=False),
    _row("kill_all", lambda c: c.kill_all(session_id="ses_1"), responses.KILLED, idempotent=False),
    _row("request POST", lambda c: c.request("POST", "/usage", json={}), {}, idempotent=False),
    _row("request PUT", lambda c: c.request("PUT", "/usage", json={}), {}, idempotent=False),
]
ROWS = [*IDEMPOTENT, *ONCE]
