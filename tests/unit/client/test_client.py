"""The client itself: its life, its options, and the calls of the user's own."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from buntime import Buntime, ConfigurationError, NotFoundError, RateLimit
from buntime.transport import FunctionTransport, Request, Response
from tests.support import responses
from tests.support.scripted import ScriptedTransport, always, lost

_info = always(responses.as_json, responses.INFO)


def test_closing_closes_the_transport() -> None:
    """Whoever made it; the context manager does the same."""
    transport = ScriptedTransport(_info)
    with Buntime(transport=transport) as client:
        client.sessions.info("ses_1")
        assert 0 == transport.closed
    assert 1 == transport.closed


def test_a_client_shows_its_transport() -> None:
    """So that a log says where calls went."""
    transport = FunctionTransport(lambda _: responses.as_json(responses.INFO))
    assert f"<Buntime over {transport!r}>" == repr(Buntime(transport=transport))


def test_other_options_over_the_same_transport() -> None:
    """The other client has what was given and the rest as it was; closing it closes nothing."""
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


def test_options_can_be_taken_away() -> None:
    """``None`` is a value of its own."""
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
    """Each of the two settings alone."""
    transport = ScriptedTransport(always(responses.error, 503, ""))
    client = Buntime(transport=transport, max_retries=5, retry_delay=0)
    cases: list[tuple[dict[str, Any], int]] = [({"max_retries": 1}, 2), ({"retry_delay": 10}, 6)]
    for options, expected in cases:
        transport.requests.clear()
        with pytest.raises(Exception, match="503"):
            client.with_options(**options).sessions.info("ses_1")
        assert expected == len(transport.requests)


@pytest.mark.parametrize(
    "options", [{"timeout": -1}, {"max_retries": -1}, {"retry_delay": -1}, {"headers": {"": ""}}]
)
def test_other_options_are_checked(options: dict[str, Any]) -> None:
    """As those of the constructor are."""
    with pytest.raises(ConfigurationError):
        Buntime(transport=ScriptedTransport(_info)).with_options(**options)


def test_an_unknown_option_is_a_type_error() -> None:
    """It is never dropped."""
    with pytest.raises(TypeError):
        Buntime(transport=ScriptedTransport(_info)).with_options(retries=1)  # type: ignore[call-arg]  # the point


def test_the_rate_limit_is_shared() -> None:
    """It is the account's, not the client's."""
    limited = always(responses.as_json, responses.INFO, headers=[("X-RateLimit-Remaining", "7")])
    client = Buntime(transport=ScriptedTransport(limited))
    client.with_options(timeout=5).sessions.info("ses_1")
    assert RateLimit(None, 7, None) == client.rate_limit


def test_a_call_of_the_users_own() -> None:
    """Method, path, query and body go out as given; the answer comes back as it is."""
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


def test_a_call_of_the_users_own_may_be_answered_by_anything() -> None:
    """A page is an answer too where no form is known."""
    client = Buntime(transport=ScriptedTransport(always(responses.raw, b"<html>")))
    assert "<html>" == client.request("GET", "/status").text


def test_a_call_of_the_users_own_is_refused_as_any() -> None:
    """An error status is an error."""
    client = Buntime(transport=ScriptedTransport(always(responses.error, 404, "not_found")))
    with pytest.raises(NotFoundError, match="GET /usage"):
        client.request("GET", "/usage")


def test_a_head_request_reads() -> None:
    """It is repeated like a GET, and changes nothing."""
    transport = ScriptedTransport(lost("read"))
    with pytest.raises(Exception, match="lost") as caught:
        Buntime(transport=transport).request("HEAD", "/usage")
    assert 3 == len(transport.requests)
    assert not getattr(caught.value, "maybe_executed", None)


def test_many_threads_share_a_client() -> None:
    """Each gets the answer to its own call."""

    def answer(request: Request) -> Response:
        return responses.as_json({**responses.INFO, "sessionId": request.path.rpartition("/")[2]})

    client = Buntime(transport=FunctionTransport(answer))
    seen: dict[int, list[str]] = {}

    def ask(number: int) -> None:
        seen[number] = [client.sessions.info(f"ses_{number}").id for _ in range(50)]

    threads = [threading.Thread(target=ask, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {number: [f"ses_{number}"] * 50 for number in range(8)} == seen
