"""The client: its lifetime, its options and custom requests."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from buntime import Buntime, ConfigurationError, NotFoundError, RateLimit
from buntime.transport import FunctionTransport, Request, Response
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always, lost

_info = always(responses.as_json, responses.INFO)


def test_closing_closes_the_transport() -> None:
    """A client closes any transport passed to it; leaving the context manager does the same."""
    transport = ScriptedTransport(_info)
    with Buntime(transport=transport) as client:
        client.sessions.info("ses_1")
        assert 0 == transport.closed
    assert 1 == transport.closed


def test_the_repr_of_a_client_shows_its_transport() -> None:
    """Logs then show where requests were sent."""
    transport = FunctionTransport(lambda _: responses.as_json(responses.INFO))
    assert f"<Buntime over {transport!r}>" == repr(Buntime(transport=transport))


def test_other_options_over_the_same_transport() -> None:
    """The new client changes only the options passed; closing it does not close the transport."""
    transport = ScriptedTransport(_info)
    client = Buntime("btk_1", transport=transport, timeout=30, headers={"X-Team": "blue"})
    with client.with_options(timeout=5, headers={"x-team": "red", "X-Trace": "1"}) as other:
        other.sessions.info("ses_1")
    assert 5.0 == transport.requests[0].read_timeout
    assert ("red", "1", "Bearer btk_1") == tuple(
        transport.header(name) for name in ("X-Team", "X-Trace", "Authorization")
    )
    assert 0 == transport.closed
    client.sessions.info("ses_1")
    assert 30.0 == transport.requests[1].read_timeout
    assert ("blue", None) == (transport.header("X-Team"), transport.header("X-Trace"))


def test_options_can_be_removed() -> None:
    """``None`` is an explicit value."""
    transport = ScriptedTransport(_info)
    client = Buntime(transport=transport, timeout=30, deadline=10, on_retry=lambda error, attempt: 1 / 0)
    client.with_options(timeout=None, deadline=None).sessions.info("ses_1")
    assert transport.requests[0].read_timeout is None
    busy = ScriptedTransport(always(responses.error, 503, ""), _info)
    Buntime(transport=busy, on_retry=lambda error, attempt: 1 / 0).with_options(on_retry=None).sessions.info(
        "s"
    )
    assert 2 == len(busy.requests)


def test_other_retries() -> None:
    """Each of the two settings can be changed alone."""
    transport = ScriptedTransport(always(responses.error, 503, ""))
    client = Buntime(transport=transport, max_retries=5, retry_delay=0)
    cases: list[tuple[dict[str, Any], int]] = [({"max_retries": 1}, 2), ({"retry_delay": 10}, 6)]
    for options, expected in cases:
        transport.requests.clear()
        with pytest.raises(Exception, match="503"):
            client.with_options(**options).sessions.info("ses_1")
        assert expected == len(transport.requests)


@in_one_test("options", [{"timeout": -1}, {"max_retries": -1}, {"retry_delay": -1}, {"headers": {"": ""}}])
def test_other_options_are_checked(options: dict[str, Any]) -> None:
    """They are validated like those of the constructor."""
    with pytest.raises(ConfigurationError):
        Buntime(transport=ScriptedTransport(_info)).with_options(**options)


def test_an_unknown_option_is_a_type_error() -> None:
    """It is not ignored."""
    with pytest.raises(TypeError):
        Buntime(transport=ScriptedTransport(_info)).with_options(retries=1)  # type: ignore[call-arg]  # the point


def test_the_rate_limit_is_shared() -> None:
    """It belongs to the account, not to the client."""
    limited = always(responses.as_json, responses.INFO, headers=[("X-RateLimit-Remaining", "7")])
    client = Buntime(transport=ScriptedTransport(limited))
    client.with_options(timeout=5).sessions.info("ses_1")
    assert RateLimit(None, 7, None) == client.rate_limit


def test_a_custom_request() -> None:
    """Method, path, query and body are sent as passed; the response is returned unchanged."""
    transport = ScriptedTransport(always(responses.as_json, {"used": 7}, 202, [("X-Cost", "3")]))
    response = Buntime("btk_1", transport=transport).request(
        "post", "/usage/reports", json={"month": 1}, params={"verbose": "yes"}
    )
    assert (202, {"used": 7}, '{"used": 7}') == (response.status, response.json(), response.text)
    assert "3" == response.headers["x-cost"]
    assert ["POST /usage/reports"] == transport.calls
    assert (("verbose", "yes"),) == transport.requests[0].query
    assert {"month": 1} == transport.body()
    assert "Bearer btk_1" == transport.header("Authorization")


def test_a_custom_request_accepts_any_body() -> None:
    """An HTML page is a valid response, because the form of the body is unknown."""
    client = Buntime(transport=ScriptedTransport(always(responses.raw, b"<html>")))
    assert "<html>" == client.request("GET", "/status").text


def test_a_custom_request_raises_for_an_error_status() -> None:
    """An error status is raised, as for other requests."""
    client = Buntime(transport=ScriptedTransport(always(responses.error, 404, "not_found")))
    with pytest.raises(NotFoundError, match="GET /usage"):
        client.request("GET", "/usage")


def test_a_head_request_is_idempotent() -> None:
    """It is retried like a GET."""
    transport = ScriptedTransport(lost("read"))
    with pytest.raises(Exception, match="lost") as caught:
        Buntime(transport=transport).request("HEAD", "/usage")
    assert 3 == len(transport.requests)
    assert not getattr(caught.value, "maybe_executed", None)


def test_many_threads_share_a_client() -> None:
    """Each thread receives the responses to its own requests."""

    def respond(request: Request) -> Response:
        return responses.as_json({**responses.INFO, "sessionId": request.path.rpartition("/")[2]})

    client = Buntime(transport=FunctionTransport(respond))
    session_ids: dict[int, list[str]] = {}

    def fetch(number: int) -> None:
        session_ids[number] = [client.sessions.info(f"ses_{number}").id for _ in range(50)]

    threads = [threading.Thread(target=fetch, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: [f"ses_{number}"] * 50 for number in range(8)} == session_ids
