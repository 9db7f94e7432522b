"""The application, with sessions in memory."""

from __future__ import annotations

from fastapi.testclient import TestClient

from buntime import Buntime
from buntime.transport import FakeTransport
from fastapi_app import create_app


def test_output_is_streamed() -> None:
    """All of it arrives, and the session is deleted."""
    fake = FakeTransport()
    fake.on_execute(contains="count", stdout="1\n2\n3\n")
    with TestClient(create_app(Buntime(transport=fake))) as http:
        assert http.post("/run", json={"code": "count()"}).text == "1\n2\n3\n"
    assert fake.sessions == {}
