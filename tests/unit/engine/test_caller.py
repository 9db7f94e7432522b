"""A request with its retries, its deadline and its clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import pytest

from buntime import (
    APIConnectionError,
    APITimeoutError,
    Buntime,
    BuntimeError,
    RateLimit,
    RateLimitError,
    ServerError,
)
from buntime.transport import FunctionTransport, Request, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always, lost

_info = always(responses.as_json, responses.INFO)
_busy = always(responses.error, 503, "")


def _fetch_info(transport: ScriptedTransport, **options: Any) -> None:
    Buntime(transport=transport, **options).sessions.info("ses_1")


def test_the_clock_of_a_transport_that_owns_time_is_used() -> None:
    """Back-offs of up to an hour take no real time on such a clock."""
    transport = ScriptedTransport(*[_busy] * 6, _info)
    _fetch_info(transport, max_retries=6, retry_delay=3600)
    assert 6 == len(transport.slept)
    assert all(0 <= pause <= 30 for pause in transport.slept)


def test_delays_vary() -> None:
    """Jitter spreads the retries of clients that failed together."""
    transport = ScriptedTransport(*[_busy] * 20, _info)
    _fetch_info(transport, max_retries=20, retry_delay=30)
    assert len(set(transport.slept)) > 10


def test_no_delay_means_no_pause() -> None:
    """``retry_delay=0`` retries immediately, on the system's clock too."""
    calls: list[Request] = []

    def respond(request: Request) -> Response:
        calls.append(request)
        return responses.error(503, "") if len(calls) < 3 else responses.as_json(responses.INFO)

    Buntime(transport=FunctionTransport(respond), retry_delay=0).sessions.info("ses_1")
    assert 3 == len(calls)


def test_retry_after_in_seconds_is_waited_for() -> None:
    """The delay of the service replaces the jitter."""
    transport = ScriptedTransport(always(responses.error, 429, "", headers=[("Retry-After", "17")]), _info)
    _fetch_info(transport)
    assert [17.0] == transport.slept


def test_retry_after_as_a_date_is_waited_for() -> None:
    """An HTTP date means the seconds until that time."""
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=50), usegmt=True)
    transport = ScriptedTransport(always(responses.error, 503, "", headers=[("Retry-After", date)]), _info)
    _fetch_info(transport)
    assert 0 < transport.slept[0] <= 50


def test_a_long_retry_after_is_raised_immediately() -> None:
    """Above a minute the caller decides, with ``retry_after`` on the error."""
    transport = ScriptedTransport(always(responses.error, 429, "", headers=[("Retry-After", "61")]), _info)
    with pytest.raises(RateLimitError) as caught:
        _fetch_info(transport)
    assert 61.0 == caught.value.retry_after
    assert [] == transport.slept


@in_one_test("value", ["soon", "", "nan", "Foo, 99 Bar 2024", "٣ days"])
def test_an_invalid_retry_after_is_ignored(value: str) -> None:
    """The usual delay applies."""
    transport = ScriptedTransport(always(responses.error, 503, "", headers=[("Retry-After", value)]), _info)
    _fetch_info(transport)
    assert 1 == len(transport.slept)
    assert transport.slept[0] <= 1


def test_on_retry_receives_each_error_before_its_delay() -> None:
    """It is called with the error and the number of the failed attempt, from 1."""
    transport = ScriptedTransport(lost("read"), _busy, _info)
    retries: list[tuple[type[BuntimeError], int, int]] = []

    def note(error: BuntimeError, attempt: int) -> None:
        retries.append((type(error), attempt, len(transport.slept)))

    _fetch_info(transport, on_retry=note)
    assert [(APIConnectionError, 1, 0), (ServerError, 2, 1)] == retries


def test_on_retry_is_not_called_for_the_last_error() -> None:
    """The last error is raised only."""
    attempts: list[int] = []
    with pytest.raises(ServerError):
        _fetch_info(ScriptedTransport(_busy), on_retry=lambda error, attempt: attempts.append(attempt))
    assert [1, 2] == attempts


def test_an_error_in_on_retry_stops_the_retries() -> None:
    """A caller can stop the retries from the callback."""
    transport = ScriptedTransport(_busy)

    def stop(error: BuntimeError, attempt: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _fetch_info(transport, on_retry=stop)
    assert 1 == len(transport.requests)


def test_timeouts_are_those_of_the_client() -> None:
    """Without a deadline each attempt has the full timeout."""
    transport = ScriptedTransport(_info)
    _fetch_info(transport, timeout=12.5)
    assert (12.5, 12.5) == (transport.requests[0].connect_timeout, transport.requests[0].read_timeout)


def test_a_deadline_shortens_the_timeouts() -> None:
    """The second attempt has only the remaining time."""
    transport = ScriptedTransport(_busy, _info, takes=7)
    _fetch_info(transport, timeout=30, deadline=15, retry_delay=0)
    assert [15.0, 8.0] == [request.connect_timeout for request in transport.requests]
    assert [15.0, 8.0] == [request.read_timeout for request in transport.requests]


def test_a_deadline_bounds_a_client_without_timeout() -> None:
    """``timeout=None`` has no limit except the deadline."""
    transport = ScriptedTransport(_info)
    _fetch_info(transport, timeout=None, deadline=10)
    assert (10.0, 10.0) == (transport.requests[0].connect_timeout, transport.requests[0].read_timeout)


def test_a_delay_beyond_the_deadline_does_not_start() -> None:
    """The last error is raised immediately, because waiting could not help."""
    transport = ScriptedTransport(always(responses.error, 429, "", headers=[("Retry-After", "20")]), _info)
    with pytest.raises(RateLimitError) as caught:
        _fetch_info(transport, deadline=15)
    assert [] == transport.slept
    assert 1 == caught.value.attempts


def test_no_attempt_starts_after_the_deadline() -> None:
    """A response at the deadline leaves no time for another attempt."""
    transport = ScriptedTransport(_busy, takes=5)
    with pytest.raises(BuntimeError):
        _fetch_info(transport, deadline=9, max_retries=10, retry_delay=0)
    assert 2 == len(transport.requests)


def test_the_deadline_is_checked_between_chunks() -> None:
    """A body that arrives slowly ends at the deadline, not at the last byte."""
    closed: list[bool] = []

    class Trickle(ScriptedTransport):
        def send(self, request: Request, /) -> Response:
            def chunks() -> Any:
                while True:
                    self.now += 1
                    yield b" "

            return Response(200, (), chunks(), on_close=lambda: closed.append(True))

    with pytest.raises(APITimeoutError, match="deadline") as caught:
        _fetch_info(Trickle(_info), deadline=5)
    assert "read" == caught.value.phase
    assert [True] == closed


def test_the_deadline_bounds_a_stream_too() -> None:
    """An endless stream ends at the deadline, with an error that has `maybe_executed`."""

    class Endless(ScriptedTransport):
        def send(self, request: Request, /) -> Response:
            def chunks() -> Any:
                while True:
                    self.now += 1
                    yield responses.event("stdout", {"text": "."})

            return Response(200, [("Content-Type", "text/event-stream")], chunks())

    client = Buntime(transport=Endless(_info), deadline=5)
    with pytest.raises(APITimeoutError) as caught:
        list(client.stream(session_id="ses_1", code="1"))
    assert caught.value.maybe_executed


def test_a_deadline_applies_to_one_request() -> None:
    """The next request has a new deadline."""
    transport = ScriptedTransport(_info, takes=4)
    client = Buntime(transport=transport, deadline=5)
    for _ in range(3):
        client.sessions.info("ses_1")
    assert [5.0, 5.0, 5.0] == [request.read_timeout for request in transport.requests]


def test_every_response_is_closed() -> None:
    """Results, error responses and HTML pages release their connections."""
    page = always(responses.raw, b"<html>", 200, [("Content-Type", "text/html")])
    transport = ScriptedTransport(_busy, _info, always(responses.error, 404, "session_not_found"), page)
    client = Buntime(transport=transport)
    client.sessions.info("ses_1")
    for _ in range(2):
        with pytest.raises(BuntimeError):
            client.sessions.info("ses_1")
    assert 4 == transport.responses_closed


def test_the_rate_limit_is_remembered() -> None:
    """The client has the headers of the last response with any, and a RateLimitError has its own."""
    earlier = [
        ("X-RateLimit-Limit", "100"),
        ("X-RateLimit-Remaining", "99"),
        ("X-RateLimit-Reset", "1700000000"),
    ]
    later = [
        ("X-RateLimit-Limit", "100"),
        ("X-RateLimit-Remaining", "0"),
        ("X-RateLimit-Reset", "1700000060"),
    ]
    transport = ScriptedTransport(
        always(responses.as_json, responses.INFO, headers=earlier),
        _info,
        always(responses.error, 429, "", headers=later),
    )
    client = Buntime(transport=transport, max_retries=0)
    assert client.rate_limit is None
    for _ in range(2):
        client.sessions.info("ses_1")
        assert RateLimit(100, 99, 1700000000) == client.rate_limit
    with pytest.raises(RateLimitError) as caught:
        client.sessions.info("ses_1")
    assert RateLimit(100, 0, 1700000060) == caught.value.rate_limit == client.rate_limit
