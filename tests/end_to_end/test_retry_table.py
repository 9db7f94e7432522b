"""The retry table over a real connection, counted at the server."""

from __future__ import annotations

import pytest

from buntime import APIConnectionError, Buntime, BuntimeError, InvalidResponseError
from tests.support import responses
from tests.support.loopback import Exchange, Handler, LoopbackServer, drop, json_reply, reply, reset
from tests.support.retry_rows import ROWS, Row

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)


def _satisfied(row: Row) -> Handler:
    return reply(200, row.body, [("Content-Type", row.content_type)])


def _cut(exchange: Exchange) -> None:
    """Promise ten bytes, send two and hang up."""
    exchange.head(200, [("Content-Length", "10")])
    exchange.send(b'{"')
    exchange.drop()


def _client(server: LoopbackServer) -> Buntime:
    return Buntime("btk_1", base_url=server.url, max_retries=1, retry_delay=0)


@every_row
@pytest.mark.parametrize("status", [429, 503])
def test_what_was_refused_unseen_is_sent_again(row: Row, status: int) -> None:
    """Whatever the call is."""
    with (
        LoopbackServer(json_reply(responses.error_body(""), status), _satisfied(row)) as server,
        _client(server) as client,
    ):
        row.call(client)
        assert 2 == len(server.requests)


@every_row
@pytest.mark.parametrize(
    "failure",
    [drop, reset, _cut, 408, 500, 502, 504],
    ids=["dropped", "reset", "cut", "408", "500", "502", "504"],
)
def test_what_may_have_been_acted_on(row: Row, failure: Handler | int) -> None:
    """It is sent again where that does no harm, and else once, with an error that says so."""
    first = json_reply(responses.error_body(""), failure) if isinstance(failure, int) else failure
    with LoopbackServer(first, _satisfied(row)) as server, _client(server) as client:
        # A stream from which a byte has arrived is not repeated, idempotent or not.
        if row.idempotent and not (failure is _cut and "stream" in row.name):
            row.call(client)
            assert 2 == len(server.requests)
            return
        with pytest.raises(BuntimeError) as caught:
            row.call(client)
        assert 1 == len(server.requests)
        assert caught.value.maybe_executed


@every_row
@pytest.mark.parametrize("status", [302, 400, 401, 403, 409, 507])
def test_what_cannot_change_is_sent_once(row: Row, status: int) -> None:
    """However safe it would be to repeat."""
    with (
        LoopbackServer(json_reply(responses.error_body("x"), status), _satisfied(row)) as server,
        _client(server) as client,
    ):
        with pytest.raises(BuntimeError):
            row.call(client)
        assert 1 == len(server.requests)


@every_row
def test_a_connection_never_made_is_tried_again(row: Row) -> None:
    """Nothing listens; each attempt is counted, and nothing can have run."""
    with LoopbackServer() as server:
        url = server.url
    attempts: list[int] = []
    client = Buntime(
        "btk_1",
        base_url=url,
        max_retries=2,
        retry_delay=0,
        on_retry=lambda error, attempt: attempts.append(attempt),
    )
    with client, pytest.raises(APIConnectionError) as caught:
        row.call(client)
    assert [1, 2] == attempts
    assert ("connect", False) == (caught.value.phase, caught.value.maybe_executed)


def test_a_stream_is_not_repeated_after_a_byte() -> None:
    """Idempotent or not."""

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


def test_an_execution_limit_and_a_page_are_final() -> None:
    """A 408 that is the execution's, and an answer that is not the API's."""
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


def test_a_create_whose_answer_was_lost_makes_one_session() -> None:
    """A server that knows its keys makes one session of two requests."""
    made: dict[str, dict[str, object]] = {}

    def create(exchange: Exchange) -> None:
        key = exchange.request.headers["Idempotency-Key"]
        made.setdefault(key, {**responses.CREATED, "sessionId": f"ses_{len(made) + 1}"})
        if len(server.requests) == 1:
            exchange.drop()
        else:
            json_reply(made[key])(exchange)

    with LoopbackServer(create) as server, _client(server) as client:
        assert "ses_1" == client.sessions.create().id
        assert 2 == len(server.requests)
    assert 1 == len(made)


def test_an_execute_whose_answer_was_lost_is_sent_once() -> None:
    """The server has acted on it; the error says that it may have."""
    ran: list[bytes] = []

    def execute(exchange: Exchange) -> None:
        ran.append(exchange.request.body)
        exchange.reset()

    with LoopbackServer(execute) as server, _client(server) as client:
        with pytest.raises(APIConnectionError, match="may have acted") as caught:
            client.execute(session_id="ses_1", code="pay()")
        assert caught.value.maybe_executed
    assert 1 == len(ran)


def test_a_delete_whose_answer_was_lost_succeeds() -> None:
    """The retry's 404 says that the session is gone."""
    gone = json_reply(responses.error_body("session_not_found"), 404)
    with LoopbackServer(drop, gone) as server, _client(server) as client:
        client.sessions.delete("ses_1")
        assert 2 == len(server.requests)
