"""Routes, bodies and keys: the rules for every request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from buntime._http import Request
from buntime.service.requests import MAX_BODY
from buntime.service.sessions.app import ROUTES
from tests.support.cases import in_one_test
from tests.support.wire_client import WireClient


def _raw(
    wire_client: WireClient, body: bytes, content_type: str | None = "application/json"
) -> tuple[int, Any]:
    headers = () if content_type is None else (("content-type", content_type),)
    response = wire_client.service.handle(Request("POST", "/sessions/create", headers=headers, body=body))
    return response.status, json.loads(response.read())


def test_an_unknown_route_is_not_found(wire_client: WireClient) -> None:
    """404 route_not_found names the path, whatever the method."""
    for path in (
        "/",
        "/sessions",
        "/sessions/",
        "/sessions/a/b",
        "/executes",
        "/v1/execute",
        "/files/delete",
    ):
        response = wire_client.post(path, {"sessionId": "x"})
        assert (404, "route_not_found", {"path": path}) == (response.status, response.code, response.details)


@in_one_test("path", list(ROUTES))
def test_another_method_is_not_allowed(wire_client: WireClient, path: str) -> None:
    """405 lists the allowed methods."""
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"} - set(ROUTES[path]):
        response = wire_client.send(method, path)
        assert 405 == response.status
        assert ", ".join(ROUTES[path]) == response.headers["Allow"]
        error = json.loads(response.read())["error"]
        assert "method_not_allowed" == error["code"]
        assert {"method": method, "allowed": list(ROUTES[path])} == error["details"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/json;x=y"]
)
def test_a_json_content_type_is_accepted(wire_client: WireClient, content_type: str) -> None:
    """In any case, with any parameter."""
    assert 200 == _raw(wire_client, b"{}", content_type)[0]


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded"])
def test_another_content_type_is_rejected(wire_client: WireClient, content_type: str | None) -> None:
    """400 names the header."""
    status, body = _raw(wire_client, b"{}", content_type)

    assert (400, "invalid_request") == (status, body["error"]["code"])
    assert "Content-Type" == body["error"]["details"]["field"]


@in_one_test(
    "body",
    [
        b"{",
        b"not json",
        b"[]",
        b"null",
        b'"text"',
        b"1",
        b"\xff{}",
        b'{"ttl": NaN}',
        b'{"ttl": -Infinity}',
        b'{"metadata": {"x": 1e999}}',
        b'{"ttl": 300, "ttl": 400}',
        b'{"metadata": ' + b"[" * 200 + b"]" * 200 + b"}",
        b'{"metadata": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_a_body_other_than_a_json_object_is_rejected(wire_client: WireClient, body: bytes) -> None:
    """A 400 in the error format of the API; no session is created."""
    status, response = _raw(wire_client, body)

    assert (400, "invalid_request") == (status, response["error"]["code"])
    assert {"code", "message", "details"} == set(response["error"])
    assert {} == wire_client.service.sessions


def test_a_body_can_be_100_deep(wire_client: WireClient) -> None:
    """At this depth it is still accepted, and returned unchanged."""
    metadata: Any = {}
    for _ in range(97):
        metadata = {"x": metadata}
    session_id = wire_client.create(metadata=metadata)

    assert metadata == wire_client.get(f"/sessions/{session_id}").body["metadata"]


def test_an_oversized_body_is_rejected(wire_client: WireClient) -> None:
    """413 names the limit, before any byte of it is read."""
    status, body = _raw(wire_client, bytes(MAX_BODY + 1))

    assert (413, "request_too_large") == (status, body["error"]["code"])
    assert {"limit": "request_body", "max": MAX_BODY, "value": MAX_BODY + 1} == body["error"]["details"]


def test_metadata_may_have_any_text(wire_client: WireClient) -> None:
    """A lone surrogate, which is valid in JSON, is returned unchanged."""
    session_id = wire_client.create(metadata={"\ud800": "\udfff ö"})

    assert {"\ud800": "\udfff ö"} == wire_client.get(f"/sessions/{session_id}").body["metadata"]
