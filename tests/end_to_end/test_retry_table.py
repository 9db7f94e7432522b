"""The retry table over a real connection, counted at the server."""

from __future__ import annotations

import pytest

from buntime import APIConnectionError, Buntime, BuntimeError, InvalidResponseError
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.loopback import Exchange, Handler, LoopbackServer, drop, json_reply, reply, reset
from tests.support.retry_rows import ROWS, Row

every_row = in_one_test("row", ROWS, ids=lambda row: row.name)


def _success(row: Row) -> Handler:
    return reply(200, row.body, [("Content-Type", row.content_type)])


def _cut(exchange: Exchange) -> None:
    """Announce ten bytes, send two and disconnect."""
    exchange.head(200, [("Content-Length", "10")])
    exchange.send(b'{"')
    exchange.drop()


def _client(server: LoopbackServer) -> Buntime:
    return Buntime("btk_1", base_url=server.url, max_retries=1, retry_delay=0)


@every_row
@in_one_test("status", [429, 503])
def test_a_rejected_request_is_retried(row: Row, status: int) -> None:
    """A request that was rejected without being executed is retried, whatever the call."""
    with (
        LoopbackServer(json_reply(responses.error_body(""), status), _success(row)) as server,
        _client(server) as client,
    ):
        row.call(client)
        assert 2 == len(server.requests)


@every_row
@in_one_test(
    "failure",
    [drop, reset, _cut, 408, 500, 502, 504],
    ids=["dropped", "reset", "cut", "408", "500", "502", "504"],
)
def test_a_request_that_may_have_been_executed(row: Row, failure: Handler | int) -> None:
    """An idempotent request is retried; any other is sent once, and its error has ``maybe_executed``."""
    first = json_reply(responses.error_body(""), failure) if isinstance(failure, int) else failure
    with LoopbackServer(first, _success(row)) as server, _client(server) as client:
        # A stream is never repeated after its first byte, idempotent or not.
        if row.idempotent and not (failure is _cut and "stream" in row.name):
            row.call(client)
            assert 2 == len(server.requests)
            return
        with pytest.raises(BuntimeError) as caught:
            row.call(client)
        assert 1 == len(server.requests)
        assert caught.value.maybe_executed


@every_row
@in_one_test("status", [302, 400, 401, 403, 409, 507])
def test_a_final_error_is_not_retried(row: Row, status: int) -> None:
    """A final error is not retried, even if the call is idempotent."""
    with (
        LoopbackServer(json_reply(responses.error_body("x"), status), _success(row)) as server,
        _client(server) as client,
    ):
        with pytest.raises(BuntimeError):
            row.call(client)
        assert 1 == len(server.requests)


@every_row
def test_a_refused_connection_is_retried(row: Row) -> None:
    """Without a listener each attempt is counted, and nothing can have run."""
    attempts: list[int] = []
    with (
        LoopbackServer(listening=False) as server,
        Buntime(
            "btk_1",
            base_url=server.url,
            max_retries=2,
            retry_delay=0,
            on_retry=lambda error, attempt: attempts.append(attempt),
        ) as client,
        pytest.raises(APIConnectionError) as caught,
    ):
        row.call(client)
    assert [1, 2] == attempts
    assert ("connect", False) == (caught.value.phase, caught.value.maybe_executed)


def test_a_stream_is_not_repeated_after_a_byte() -> None:
    """This applies to idempotent streams too."""

    def half(exchange: Exchange) -> None:
        exchange.head(200, [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")])
        exchange.chunk(responses.event("stdout", {"text": "1"}))
        exchange.drop()

    with LoopbackServer(half) as server, _client(server) as client:
        stream = client.stream(session_id="ses_1", code="1", idempotent=True)
        assert "1" == next(stream).text
        with pytest.raises(APIConnectionError) as caught:
            next(stream)
        assert 1 == len(server.requests)
        assert caught.value.maybe_executed


def test_an_execution_timeout_and_a_page_are_final() -> None:
    """A 408 of the execution and an invalid response are not retried."""
    limit = json_reply(responses.error_body("execution_timeout"), 408)
    with LoopbackServer(limit) as server, _client(server) as client:
        with pytest.raises(BuntimeError, match="execution_timeout"):
            client.execute(session_id="ses_1", code="1", idempotent=True)
        assert 1 == len(server.requests)
    page = reply(200, b"<html>Sign in</html>", [("Content-Type", "text/html")])
    with LoopbackServer(page) as server, _client(server) as client:
        with pytest.raises(InvalidResponseError):
            client.sessions.info("ses_1")
        assert 1 == len(server.requests)


def test_a_create_with_a_lost_response_creates_one_session() -> None:
    """A server that supports idempotency keys creates one session for two requests."""
    sessions: dict[str, dict[str, object]] = {}

    def create(exchange: Exchange) -> None:
        key = exchange.request.headers["Idempotency-Key"]
        sessions.setdefault(key, {**responses.CREATED, "sessionId": f"ses_{len(sessions) + 1}"})
        if len(server.requests) == 1:
            exchange.drop()
        else:
            json_reply(sessions[key])(exchange)

    with LoopbackServer(create) as server, _client(server) as client:
        assert "ses_1" == client.sessions.create().id
        assert 2 == len(server.requests)
    assert 1 == len(sessions)


def test_an_execute_with_a_lost_response_is_sent_once() -> None:
    """The server has executed the request, and the error reports that it may have."""
    ran: list[bytes] = []

    def execute(exchange: Exchange) -> None:
        ran.append(exchange.request.body)
        exchange.reset()

    with LoopbackServer(execute) as server, _client(server) as client:
        with pytest.raises(APIConnectionError, match="may have acted") as caught:
            client.execute(session_id="ses_1", code="pay()")
        assert caught.value.maybe_executed
    assert 1 == len(ran)


def test_a_delete_with_a_lost_response_succeeds() -> None:
    """The retry's 404 shows that the session is deleted."""
    gone = json_reply(responses.error_body("session_not_found"), 404)
    with LoopbackServer(drop, gone) as server, _client(server) as client:
        client.sessions.delete("ses_1")
        assert 2 == len(server.requests)
