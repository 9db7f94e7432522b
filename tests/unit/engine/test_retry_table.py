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
from tests.support.cases import in_one_test
from tests.support.retry_rows import IDEMPOTENT, ROWS, Row
from tests.support.scripted import ScriptedTransport, Step, always, cut, lost


def _name(row: Row) -> str:
    return row.name


every_row = in_one_test("row", ROWS, ids=_name)


def _status(status: int, code: str = "") -> Callable[[], Response]:
    return always(responses.error, status, code)


NEVER_SENT: dict[str, Step] = {
    "connection refused": lost("connect"),
    "connect timed out": APITimeoutError("slow", phase="connect"),
}
NOT_EXECUTED: dict[str, Step] = {"429": _status(429), "503 of the service": _status(503)}
OUTCOME_UNKNOWN: dict[str, Step] = {
    "408": _status(408, "request_timeout"),
    "500": _status(500),
    "502": always(responses.raw, b"<html>Bad gateway</html>", 502),
    "503 of a gateway": always(responses.raw, b"upstream connect error: reset before headers", 503),
    "503 of a gateway, in JSON": always(responses.as_json, {"message": "no healthy upstream"}, 503),
    "504": _status(504),
    "dropped while sending": lost("send"),
    "dropped before the response": lost("read"),
    "timed out before the response": APITimeoutError("slow", phase="read"),
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
@in_one_test("column", [*NEVER_SENT, *NOT_EXECUTED])
def test_a_request_that_was_not_executed_is_retried(row: Row, column: str) -> None:
    """A failed connection, 429 and the service's own 503 are retried for every request."""
    transport = ScriptedTransport({**NEVER_SENT, **NOT_EXECUTED}[column], row.response)
    row.call(_client(transport))
    assert len(transport.requests) == 2


@every_row
@in_one_test("column", OUTCOME_UNKNOWN)
def test_a_request_that_may_have_been_executed(row: Row, column: str) -> None:
    """An idempotent request is retried; any other raises an error with `maybe_executed`."""
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
@in_one_test("column", FINAL)
def test_a_permanent_error_is_raised_immediately(row: Row, column: str) -> None:
    """Other 4xx, 501, 507, redirects and an execution's time limit are never retried."""
    transport = ScriptedTransport(FINAL[column], row.response)
    with pytest.raises(BuntimeError) as caught:
        row.call(_client(transport))
    assert len(transport.requests) == 1
    assert caught.value.attempts == 1
    if row.reads:
        assert not caught.value.maybe_executed


@in_one_test("row", [row for row in ROWS if not row.name.startswith("request")], ids=_name)
def test_an_invalid_response_is_raised_immediately(row: Row) -> None:
    """A retry would return the page of the captive portal again."""
    page = always(responses.raw, b"<html>Sign in</html>", 200, [("Content-Type", "text/html")])
    transport = ScriptedTransport(page, row.response)
    with pytest.raises(InvalidResponseError):
        row.call(_client(transport))
    assert len(transport.requests) == 1


@every_row
def test_the_number_of_retries_is_bounded(row: Row) -> None:
    """With two retries the service receives three requests, then the last error is raised."""
    transport = ScriptedTransport(_status(503))
    with pytest.raises(BuntimeError, match="after 3 attempts") as caught:
        row.call(Buntime(transport=transport))
    assert len(transport.requests) == 3
    assert caught.value.attempts == 3


@every_row
def test_no_retries_means_one_attempt(row: Row) -> None:
    """``max_retries=0`` disables retries."""
    transport = ScriptedTransport(lost("connect"), row.response)
    with pytest.raises(APIConnectionError):
        row.call(Buntime(transport=transport, max_retries=0))
    assert len(transport.requests) == 1


@in_one_test("row", IDEMPOTENT, ids=_name)
def test_every_attempt_is_the_same_request(row: Row) -> None:
    """A retry is identical to the first attempt, headers included."""
    transport = ScriptedTransport(_status(500), _status(502), row.response)
    row.call(Buntime(transport=transport))
    first, second, third = transport.requests
    assert first == second == third


def test_a_create_with_a_lost_response_creates_one_session() -> None:
    """Both attempts have the same idempotency key, so the service recognises the second."""
    transport = ScriptedTransport(lost("read"), always(responses.as_json, responses.CREATED))
    _client(transport).sessions.create()
    keys = [transport.header("Idempotency-Key", index) for index in (0, 1)]
    assert keys[0]
    assert keys[0] == keys[1]


def test_each_create_has_its_own_key() -> None:
    """Two calls create two sessions."""
    transport = ScriptedTransport(always(responses.as_json, responses.CREATED))
    client = _client(transport)
    client.sessions.create()
    client.sessions.create()
    assert transport.header("Idempotency-Key", 0) != transport.header("Idempotency-Key", 1)


def test_an_explicit_key_is_sent() -> None:
    """``idempotency_key`` is sent to the service."""
    transport = ScriptedTransport(always(responses.as_json, responses.CREATED))
    _client(transport).sessions.create(idempotency_key="order-17")
    assert transport.header("Idempotency-Key") == "order-17"


def test_only_create_has_an_idempotency_key() -> None:
    """The key is documented for the creation of sessions only."""
    transport = ScriptedTransport(always(responses.as_json, responses.RESULT))
    _client(transport).execute(session_id="ses_1", code="1")
    assert transport.header("Idempotency-Key") is None


def test_an_execute_with_a_lost_response_is_sent_once() -> None:
    """It may have run, so it is not retried, and the error has `maybe_executed`."""
    transport = ScriptedTransport(lost("read"), always(responses.as_json, responses.RESULT))
    with pytest.raises(APIConnectionError) as caught:
        _client(transport).execute(session_id="ses_1", code="pay()")
    assert transport.calls == ["POST /execute"]
    assert caught.value.maybe_executed
    assert "POST /execute" in str(caught.value)


def test_an_execution_at_its_time_limit_is_not_retried() -> None:
    """A 408 with the code execution_timeout raises for every value of ``check``, without a result."""
    transport = ScriptedTransport(_status(408, "execution_timeout"))
    with pytest.raises(ExecutionTimeoutError) as caught:
        _client(transport).execute(session_id="ses_1", code="for(;;);", idempotent=True, check=False)
    assert len(transport.requests) == 1
    assert caught.value.result is None
    assert caught.value.status == 408


def test_a_stream_is_not_retried_after_its_first_byte() -> None:
    """The caller has received output already, so even an idempotent stream is not retried."""

    def half_stream() -> Response:
        chunks = cut(responses.event("stdout", {"text": "1"}), then=lost("read"))
        return Response(200, [("Content-Type", "text/event-stream")], chunks)

    transport = ScriptedTransport(half_stream)
    stream = _client(transport).stream(session_id="ses_1", code="1", idempotent=True)
    assert next(stream).text == "1"
    with pytest.raises(APIConnectionError) as caught:
        next(stream)
    assert len(transport.requests) == 1
    assert caught.value.maybe_executed


def test_a_delete_whose_retry_is_not_found_succeeded() -> None:
    """The first attempt deleted the session, though its response was lost."""
    transport = ScriptedTransport(lost("read"), _status(404, "session_not_found"))
    _client(transport).sessions.delete("ses_1")
    assert len(transport.requests) == 2


def test_a_delete_of_a_missing_session_fails() -> None:
    """A 404 to the first attempt is an error."""
    transport = ScriptedTransport(_status(404, "session_not_found"))
    with pytest.raises(NotFoundError):
        _client(transport).sessions.delete("ses_1")


def test_reading_a_file_by_a_helper_is_retried() -> None:
    """If the service has no read route, the code that reads is retried like a GET."""
    output = always(responses.as_json, responses.result(stdout='{"content":"hi"}\n'))
    transport = ScriptedTransport(always(responses.raw, b"", 404), lost("read"), output)
    assert _client(transport).files.read(session_id="ses_1", path="a.txt") == "hi"
    assert transport.calls == ["GET /files/read", "POST /execute", "POST /execute"]
