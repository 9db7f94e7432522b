"""Requests to endpoints without a method."""

from __future__ import annotations

import pytest

from buntime import APIStatusError, Buntime, InvalidRequestError, NotFoundError, Session


def test_any_request_can_be_sent(client: Buntime, session: Session) -> None:
    """The response has the status, case-insensitive headers, and the body."""
    response = client.request("GET", f"/sessions/{session.id}")
    assert 200 == response.status
    assert "application/json" in response.headers["content-TYPE"]
    assert session.id == response.json()["sessionId"]
    assert session.id in response.text


def test_parameters_are_in_the_query(client: Buntime, session: Session) -> None:
    """The service receives the parameters in ``params``."""
    session.files.write("a&b.txt", "x")
    response = client.request("GET", "/files/read", params={"sessionId": session.id, "path": "a&b.txt"})
    assert "x" == response.json()["content"]


def test_an_unknown_route_is_not_found(client: Buntime) -> None:
    """The error has the service's code."""
    with pytest.raises(NotFoundError) as caught:
        client.request("GET", "/no/such/route")
    assert (404, "route_not_found") == (caught.value.status, caught.value.code)


def test_a_wrong_method_is_rejected(client: Buntime) -> None:
    """Status 405 has no separate class and raises the nearest one."""
    with pytest.raises(APIStatusError) as caught:
        client.request("PUT", "/execute", json={})
    assert (405, "method_not_allowed") == (caught.value.status, caught.value.code)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"code": "1", "command": "true"},
        {"code": 1},
        {"code": "1", "timeout": 0},
        {"code": "1", "timeout": 301},
        {"code": "1", "timeout": "1"},
        {"code": "1", "env": {"A": 1}},
        {"code": "1", "env": ["A"]},
        {"code": "1", "files": [{"path": "a"}]},
        {"code": "1", "files": {"a": "b"}},
        {"code": "1", "stream": "yes"},
    ],
)
def test_the_service_checks_what_the_client_would(
    client: Buntime, session: Session, body: dict[str, object]
) -> None:
    """The service rejects a request that bypasses the client's checks, and names the field."""
    with pytest.raises(InvalidRequestError) as caught:
        client.request("POST", "/execute", json={"sessionId": session.id, **body})
    assert "invalid_request" == caught.value.code
    assert caught.value.message
    assert "field" in caught.value.details
