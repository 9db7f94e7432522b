"""How often the service acts for one call of each row, for each fault."""

from __future__ import annotations

import pytest

from buntime.errors import APIConnectionError, APIError, RateLimitError
from buntime.runloop.wire.routes import ROUTES, Repeat, Route
from buntime.transport import Response
from tests.runloop.client.stub import Fault, Stub, as_json, call
from tests.support.cases import in_one_test

every_route = in_one_test("route", ROUTES.values(), ids=lambda route: route.name)
_SETTLED = [route for route in ROUTES.values() if route.repeat is Repeat.SETTLE]


def _is_repeated(route: Route) -> bool:
    return route.repeat is not Repeat.NEVER


def _outcome(route: Route, *faults: Fault, repeat_execute: bool = True) -> tuple[int, int, APIError | None]:
    """Return how many requests there were, how often the service acted, and the error."""
    stub = Stub(*faults)
    error = None
    with stub.client(repeat_execute=repeat_execute) as client:
        try:
            call(client, route)
        except APIError as caught:
            error = caught
    sent = [request for request in stub.requests if request.path == stub.requests[0].path]
    acted = [name for name in stub.acted if name == route.name]
    return len(sent), len(acted), error


@every_route
def test_dropped_before_the_service(route: Route) -> None:
    """A connection that is never made is made again: the service acts once."""
    assert (2, 1, None) == _outcome(route, "before")


@every_route
def test_dropped_after_the_service(route: Route) -> None:
    """A lost response is asked for again if the row allows, else the error has ``maybe_executed``."""
    sent, acted, error = _outcome(route, "after")
    if _is_repeated(route):
        assert (2, 2, None) == (sent, acted, error)
    else:
        assert (1, 1) == (sent, acted)
        assert isinstance(error, APIConnectionError)
        assert error.maybe_executed


@every_route
@in_one_test("status", [500, 502, 503, 504])
def test_server_errors(route: Route, status: int) -> None:
    """A 5xx, 503 included, proves nothing: only rows that may be repeated are."""
    sent, acted, error = _outcome(route, status)
    if _is_repeated(route):
        assert (2, 1, None) == (sent, acted, error)
    else:
        assert (1, 0, status) == (sent, acted, error and error.status)
        assert error is not None
        assert error.maybe_executed is not route.is_read


@every_route
def test_rate_limit(route: Route) -> None:
    """A 429 is always repeated, after the milliseconds that the service names."""
    limited = as_json({"message": "slow down"}, 429, **{"retry-after-ms": "1500", "retry-after": "30"})
    stub = Stub(limited)
    with stub.client() as client:
        call(client, route)
    assert [1.5] == stub.slept[:1]
    assert 1 == stub.acted.count(route.name)


@every_route
def test_conflict_is_not_repeated(route: Route) -> None:
    """A 409 is raised by itself."""
    sent, acted, error = _outcome(route, 409)
    assert (1, 0, 409) == (sent, acted, error and error.status)


@every_route
def test_request_timeout(route: Route) -> None:
    """A 408 is the end of a wait, a fault of a row that may be repeated, and final for the others."""
    sent, acted, error = _outcome(route, 408)
    if _is_repeated(route) and not route.is_wait:
        assert (2, 1, None) == (sent, acted, error)
    else:
        assert (1, 0, 408) == (sent, acted, error and error.status)


@every_route
def test_word_of_the_service(route: Route) -> None:
    """``x-should-retry: false`` ends a call; ``true`` repeats only rows that may be."""
    sent, _, error = _outcome(route, as_json({"message": "no"}, 503, **{"x-should-retry": "false"}))
    assert (1, 503) == (sent, error and error.status)
    sent, acted, error = _outcome(route, as_json({"message": "no"}, 400, **{"x-should-retry": "true"}))
    assert ((2, 1) if _is_repeated(route) else (1, 0)) == (sent, acted)


@every_route
def test_one_request_id_for_all_attempts(route: Route) -> None:
    """All attempts of a call have one ``x-request-id``, and the next call another; a GET has none."""
    stub = Stub("before", "before")
    with stub.client() as client:
        call(client, route)
        first = len(stub.requests)
        call(client, route, idempotency_key="mine") if not route.is_stream else None
    key = [dict(request.headers).get("x-request-id") for request in stub.requests if request.method == "POST"]
    if route.method == "GET":
        assert [] == key
    else:
        assert 1 == len(set(key[:first]))
        assert {"mine"} == set(key[first:])
        assert "mine" not in key[:first]


@in_one_test("route", _SETTLED, ids=lambda route: route.name)
@in_one_test("status", [400, 409])
def test_refusal_after_a_repeat_is_settled(route: Route, status: int) -> None:
    """If the first attempt was carried out, a refusal of the second is settled by one GET."""
    stub = Stub("after", status)
    with stub.client() as client:
        result = call(client, route)
    assert [route.name, f"{route.name.rpartition('.')[0]}.retrieve"] == stub.acted
    assert route.view == type(result).__name__


@pytest.mark.parametrize("status", [404, 409])
def test_end_after_a_repeat_is_done(status: int) -> None:
    """If a repeated deletion or kill meets nothing, the first attempt did it; a first 404 is an error."""
    for route in ROUTES.values():
        if route.repeat is Repeat.END:
            assert (2, 1, None) == _outcome(route, "after", status)
            assert (1, 0) == _outcome(route, status)[:2]


def test_execute_is_repeated_with_its_command_id() -> None:
    """``execute`` is sent again with one ``command_id``, and never with ``repeat_execute=False``."""
    route = ROUTES["devboxes.execute"]
    stub = Stub("after")
    with stub.client() as client:
        result = client.devbox.from_id("dbx_1").cmd.exec("true")
    assert 0 == result.exit_code
    assert 1 == len({request.body for request in stub.requests})
    sent, acted, error = _outcome(route, "after", repeat_execute=False)
    assert (1, 1, True) == (sent, acted, error is not None and error.maybe_executed)


def test_attempts_end() -> None:
    """A call gives up after ``max_retries``; a long Retry-After is not waited for."""
    stub = Stub(*[500] * 9)
    with stub.client(max_retries=2) as client, pytest.raises(APIError) as caught:
        client.devbox.from_id("dbx_1").get_info()
    assert (3, 3, "InternalServerError") == (len(stub.requests), caught.value.attempts, caught.value.name)
    late = Stub(as_json({"error": {"message": "later"}}, 429, **{"retry-after-ms": "61000"}))
    with late.client() as client, pytest.raises(RateLimitError, match="later") as limited:
        client.devbox.from_id("dbx_1").get_info()
    assert 61.0 == limited.value.retry_after


def test_hint_names_the_variable() -> None:
    """A 401 names the variable of Runloop; a removed resource says so."""
    with Stub(401).client() as client, pytest.raises(APIError, match="Check RUNLOOP_API_KEY") as caught:
        client.devbox.from_id("dbx_1").get_info()
    assert "AuthenticationError" == caught.value.name
    gone = Stub(Response(404, {}, [b"not found"]))
    with gone.client() as client, pytest.raises(APIError, match="no longer have this resource"):
        client.api.get("/v1/agents")
