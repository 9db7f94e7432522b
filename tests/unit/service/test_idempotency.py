"""Creating a session once, however often it is requested."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from buntime.service.idempotency import Idempotency
from tests.support.clocks import ManualClock
from tests.support.wire_client import BufferedResponse, WireClient
from tests.unit.service.conftest import MakeWireClient


def _create(wire_client: WireClient, key: str, **fields: Any) -> BufferedResponse:
    return wire_client.post("/sessions/create", fields, headers={"Idempotency-Key": key})


def test_the_same_key_and_body_replay_the_response(wire_client: WireClient) -> None:
    """One session; only the replayed response is marked as such."""
    first = _create(wire_client, "k", ttl=300, metadata={"a": 1, "b": 2})
    repeated = _create(wire_client, "k", metadata={"b": 2, "a": 1}, ttl=300)

    assert (first.status, first.body) == (repeated.status, repeated.body)
    assert "true" == repeated.headers["Idempotency-Replayed"]
    assert "Idempotency-Replayed" not in first.headers
    assert 1 == len(wire_client.service.sessions)


def test_the_same_key_with_another_body_is_a_conflict(wire_client: WireClient) -> None:
    """409 names the key; values that are equal in Python but not in JSON are different."""
    _create(wire_client, "k", metadata={"a": 1})
    for other in ({}, {"metadata": {"a": True}}, {"metadata": {"a": 1.0}}):
        response = _create(wire_client, "k", **other)
        assert (409, "idempotency_conflict") == (response.status, response.code)
        assert {"idempotencyKey": "k"} == response.details


def test_an_empty_body_is_the_same_as_an_empty_object(wire_client: WireClient) -> None:
    """Bodies are compared after parsing."""
    first = wire_client.post("/sessions/create", headers={"Idempotency-Key": "k"})

    assert first.body == _create(wire_client, "k").body


def test_another_key_creates_another_session(wire_client: WireClient) -> None:
    """So does a request without a key."""
    _create(wire_client, "k")
    _create(wire_client, "l")
    wire_client.create()

    assert 3 == len(wire_client.service.sessions)


def test_a_key_is_forgotten_after_24_hours(wire_client: WireClient) -> None:
    """Then it creates a new session, whatever the body."""
    first = _create(wire_client, "k", ttl=604800)
    wire_client.clock.advance(24 * 3600 - 1)
    assert first.body == _create(wire_client, "k", ttl=604800).body
    wire_client.clock.advance(1)

    assert first.body["sessionId"] != _create(wire_client, "k").body["sessionId"]


def test_an_error_response_is_not_stored(make_wire_client: MakeWireClient) -> None:
    """A create that failed can be repeated with its key, also with another body."""
    wire_client = make_wire_client(plan="free")
    ids = [wire_client.create() for _ in range(10)]
    assert 403 == _create(wire_client, "k").status
    wire_client.delete(f"/sessions/{ids[0]}")

    assert 200 == _create(wire_client, "k", ttl=300).status


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_has_1_to_255_characters(wire_client: WireClient, key: str) -> None:
    """400 names the header."""
    response = _create(wire_client, key)

    assert (400, "Idempotency-Key") == (response.status, response.details["field"])


def test_concurrent_creates_with_one_key_create_one_session(wire_client: WireClient) -> None:
    """All callers get the same response."""
    with ThreadPoolExecutor(16) as pool:
        responses = list(pool.map(lambda _: _create(wire_client, "k").body["sessionId"], range(16)))

    assert 1 == len(set(responses)) == len(wire_client.service.sessions)


def test_a_request_waits_for_the_first_and_replaces_it_if_it_fails() -> None:
    """The error is raised for the first caller only."""
    once = Idempotency(ManualClock(), 3600.0)
    acting, fail = threading.Event(), threading.Event()

    def failing() -> Mapping[str, Any]:
        acting.set()
        assert fail.wait(10)
        raise RuntimeError("lost")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.once, "k", {}, failing)
        assert acting.wait(10)
        second = pool.submit(once.once, "k", {}, lambda: {"made": 2})
        fail.set()

        assert ({"made": 2}, False) == second.result()
        with pytest.raises(RuntimeError):
            first.result()
    assert ({"made": 2}, True) == once.once("k", {}, lambda: {"made": 3})
