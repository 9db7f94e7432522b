"""The fake raised ``JSONDecodeError`` for a body that is not JSON, while the service responds with 400."""

from __future__ import annotations

import json

import pytest

from buntime.transport import FakeTransport, Request


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 100_000, b""])
def test_a_malformed_body_is_a_400(body: bytes) -> None:
    """The request is in the fake's list, without a decoded body."""
    fake = FakeTransport()
    request = Request("POST", "/execute", headers=(("Content-Type", "application/json"),), body=body)
    response = fake.send(request)
    assert (400, "invalid_request") == (response.status, json.loads(response.read())["error"]["code"])
    (call,) = fake.calls
    assert (None, 400) == (call.json, call.status)
