"""Calls that have no method."""

from __future__ import annotations

import pytest

from buntime import APIStatusError, Buntime, InvalidRequestError, NotFoundError, Session


def test_any_call_can_be_made(client: Buntime, session: Session) -> None:
    """The answer has the status, the headers without case, and the body."""
    answer = client.request("GET", f"/sessions/{session.id}")
    assert 200 == answer.status
    assert "application/json" in answer.headers["content-TYPE"]
    assert session.id == answer.json()["sessionId"]
    assert session.id in answer.text


def test_parameters_travel_in_the_query(client: Buntime, session: Session) -> None:
    """What params names is what the service reads."""
    session.files.write("a&b.txt", "x")
    answer = client.request("GET", "/files/read", params={"sessionId": session.id, "path": "a&b.txt"})
    assert "x" == answer.json()["content"]


def test_an_unknown_route_is_not_found(client: Buntime) -> None:
    """The service's own code is kept."""
    with pytest.raises(NotFoundError) as caught:
        client.request("GET", "/no/such/route")
    assert (404, "route_not_found") == (caught.value.status, caught.value.code)


def test_a_wrong_method_is_refused(client: Buntime) -> None:
    """405 has no class of its own and comes as the nearest."""
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
    """A request that goes around the client's checks is refused with the field's name."""
    with pytest.raises(InvalidRequestError) as caught:
        client.request("POST", "/execute", json={"sessionId": session.id, **body})
    assert "invalid_request" == caught.value.code
    assert caught.value.message
    assert "field" in caught.value.details
