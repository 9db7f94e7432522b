"""Every row and every column of the retry table, counted at the transport."""

from __future__ import annotations

from typing import Callable

import pytest

from buntime import (
    APIConnectionError,
    APITimeoutError,
    Buntime,
    BuntimeError,
    ExecutionTimeoutError,
    InvalidResponseError,
    NotFoundError,
)
from buntime.transport import Response
from tests.support import responses
from tests.support.retry_rows import IDEMPOTENT, ROWS, Row
from tests.support.scripted import ScriptedTransport, Step, always, cut, lost


def _name(row: Row) -> str:
    return row.name


every_row = pytest.mark.parametrize("row", ROWS, ids=_name)


def _status(status: int, code: str = "") -> Callable[[], Response]:
    return always(responses.error, status, code)


NEVER_SENT: dict[str, Step] = {
    "connection refused": lost("connect"),
    "connect timed out": APITimeoutError("slow", phase="connect"),
}
REFUSED_UNSEEN: dict[str, Step] = {"429": _status(429), "503 of the service": _status(503)}
OUTCOME_UNKNOWN: dict[str, Step] = {
    "408": _status(408, "request_timeout"),
    "500": _status(500),
    "502": always(responses.raw, b"<html>Bad gateway</html>", 502),
    "503 of a gateway": always(responses.raw, b"upstream connect error: reset before headers", 503),
    "503 of a gateway, in JSON": always(responses.as_json, {"message": "no healthy upstream"}, 503),
    "504": _status(504),
    "dropped while sending": lost("send"),
    "dropped before the answer": lost("read"),
    "timed out before the answer": APITimeoutError("slow", phase="read"),
    "dropped in the body": lambda: Response(200, (), cut(then=lost("read"))),
}
FINAL: dict[str, Step] = {
    "400": _status(400, "invalid_request"),
    "401": _status(401, "unauthorized"),
    "403": _status(403),
    "404": _status(404, "session_not_found"),
    "409": _status(409, "idempotency_conflict"),
    "418": _status(418),
    "501": _status(501, "unscripted_execution"),
    "505": _status(505),
    "507": _status(507, "memory_limit_exceeded"),
    "redirect": always(responses.raw, b"", 302, [("Location", "https://elsewhere.invalid/")]),
    "408 execution_timeout": _status(408, "execution_timeout"),
}


def _client(transport: ScriptedTransport) -> Buntime:
    return Buntime(transport=transport, max_retries=1)


@every_row
@pytest.mark.parametrize("column", [*NEVER_SENT, *REFUSED_UNSEEN])
def test_a_call_that_was_not_acted_on_is_sent_again(row: Row, column: str) -> None:
    """A connection never made, 429 and the service's own 503 are retried, whatever the call is."""
    transport = ScriptedTransport({**NEVER_SENT, **REFUSED_UNSEEN}[column], row.response)
    row.call(_client(transport))
    assert len(transport.requests) == 2


@every_row
@pytest.mark.parametrize("column", OUTCOME_UNKNOWN)
def test_a_call_that_may_have_been_acted_on(row: Row, column: str) -> None:
    """What may reach the service twice is sent again; the rest is raised and says that it may have run."""
    transport = ScriptedTransport(OUTCOME_UNKNOWN[column], row.response)
    if row.idempotent:
        row.call(_client(transport))
        assert len(transport.requests) == 2
        return
    with pytest.raises(BuntimeError, match="may have acted") as caught:
        row.call(_client(transport))
    assert len(transport.requests) == 1
    assert caught.value.maybe_executed
    assert caught.value.attempts == 1


@every_row
@pytest.mark.parametrize("column", FINAL)
def test_an_answer_that_cannot_change_is_raised_at_once(row: Row, column: str) -> None:
    """Other 4xx, 501, 507, redirects and an execution's time limit are never retried."""
    transport = ScriptedTransport(FINAL[column], row.response)
    with pytest.raises(BuntimeError) as caught:
        row.call(_client(transport))
    assert len(transport.requests) == 1
    assert caught.value.attempts == 1
    if row.reads:
        assert not caught.value.maybe_executed


@pytest.mark.parametrize("row", [row for row in ROWS if not row.name.startswith("request")], ids=_name)
def test_an_answer_that_is_not_the_apis_is_raised_at_once(row: Row) -> None:
    """A captive portal's page is no reason to send the call again."""
    page = always(responses.raw, b"<html>Sign in</html>", 200, [("Content-Type", "text/html")])
    transport = ScriptedTransport(page, row.response)
    with pytest.raises(InvalidResponseError):
        row.call(_client(transport))
    assert len(transport.requests) == 1


@every_row
def test_the_number_of_retries_is_bounded(row: Row) -> None:
    """With two retries a call reaches the service three times, then the last error is raised."""
    transport = ScriptedTransport(_status(503))
    with pytest.raises(BuntimeError, match="after 3 attempts") as caught:
        row.call(Buntime(transport=transport))
    assert len(transport.requests) == 3
    assert caught.value.attempts == 3


@every_row
def test_no_retries_means_one_attempt(row: Row) -> None:
    """``max_retries=0`` turns them off."""
    transport = ScriptedTransport(lost("connect"), row.response)
    with pytest.raises(APIConnectionError):
        row.call(Buntime(transport=transport, max_retries=0))
    assert len(transport.requests) == 1


@pytest.mark.parametrize("row", IDEMPOTENT, ids=_name)
def test_every_attempt_is_the_same_request(row: Row) -> None:
    """A retry sends what the first attempt sent, its headers included."""
    transport = ScriptedTransport(_status(500), _status(502), row.response)
    row.call(Buntime(transport=transport))
    first, second, third = transport.requests
    assert first == second == third


def test_a_create_whose_answer_was_lost_makes_one_session() -> None:
    """Both attempts carry one idempotency key, by which the service knows the second for the first."""
    transport = ScriptedTransport(lost("read"), always(responses.as_json, responses.CREATED))
    _client(transport).sessions.create()
    keys = [transport.header("Idempotency-Key", index) for index in (0, 1)]
    assert keys[0]
    assert keys[0] == keys[1]


def test_each_create_has_a_key_of_its_own() -> None:
    """Two calls make two sessions."""
    transport = ScriptedTransport(always(responses.as_json, responses.CREATED))
    client = _client(transport)
    client.sessions.create()
    client.sessions.create()
    assert transport.header("Idempotency-Key", 0) != transport.header("Idempotency-Key", 1)


def test_a_key_of_the_users_own_is_sent() -> None:
    """``idempotency_key`` is what the service gets."""
    transport = ScriptedTransport(always(responses.as_json, responses.CREATED))
    _client(transport).sessions.create(idempotency_key="order-17")
    assert transport.header("Idempotency-Key") == "order-17"


def test_only_create_carries_an_idempotency_key() -> None:
    """The key is documented for creating sessions and nothing else."""
    transport = ScriptedTransport(always(responses.as_json, responses.RESULT))
    _client(transport).execute(session_id="ses_1", code="1")
    assert transport.header("Idempotency-Key") is None


def test_an_execute_whose_answer_was_lost_is_sent_once() -> None:
    """It may have run, so it is not sent again, and the error says so."""
    transport = ScriptedTransport(lost("read"), always(responses.as_json, responses.RESULT))
    with pytest.raises(APIConnectionError) as caught:
        _client(transport).execute(session_id="ses_1", code="pay()")
    assert transport.calls == ["POST /execute"]
    assert caught.value.maybe_executed
    assert "POST /execute" in str(caught.value)


def test_an_execution_at_its_time_limit_is_not_repeated() -> None:
    """A 408 with the code execution_timeout raises whatever ``check`` is, with no result."""
    transport = ScriptedTransport(_status(408, "execution_timeout"))
    with pytest.raises(ExecutionTimeoutError) as caught:
        _client(transport).execute(session_id="ses_1", code="for(;;);", idempotent=True, check=False)
    assert len(transport.requests) == 1
    assert caught.value.result is None
    assert caught.value.status == 408


def test_a_stream_is_not_repeated_after_its_first_byte() -> None:
    """Output that was handed on cannot be taken back, idempotent or not."""

    def half() -> Response:
        chunks = cut(responses.event("stdout", {"text": "1"}), then=lost("read"))
        return Response(200, [("Content-Type", "text/event-stream")], chunks)

    transport = ScriptedTransport(half)
    stream = _client(transport).stream(session_id="ses_1", code="1", idempotent=True)
    assert next(stream).text == "1"
    with pytest.raises(APIConnectionError) as caught:
        next(stream)
    assert len(transport.requests) == 1
    assert caught.value.maybe_executed


def test_a_delete_whose_retry_finds_nothing_succeeded() -> None:
    """The first attempt deleted it, though its answer was lost."""
    transport = ScriptedTransport(lost("read"), _status(404, "session_not_found"))
    _client(transport).sessions.delete("ses_1")
    assert len(transport.requests) == 2


def test_a_delete_of_nothing_fails() -> None:
    """A 404 to the first attempt is an error."""
    transport = ScriptedTransport(_status(404, "session_not_found"))
    with pytest.raises(NotFoundError):
        _client(transport).sessions.delete("ses_1")


def test_reading_a_file_by_a_helper_is_repeated() -> None:
    """Where the service has no route for it, the code that reads is sent again as a GET would be."""
    found = always(responses.as_json, responses.result(stdout='{"content":"hi"}\n'))
    transport = ScriptedTransport(always(responses.raw, b"", 404), lost("read"), found)
    assert _client(transport).files.read(session_id="ses_1", path="a.txt") == "hi"
    assert transport.calls == ["GET /files/read", "POST /execute", "POST /execute"]
