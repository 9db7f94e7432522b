"""The application, with sessions in memory."""

from __future__ import annotations

from buntime import Buntime
from buntime.transport import FakeTransport
from flask_app import create_app


def test_code_of_a_user_runs_in_its_session() -> None:
    """The response has the output, and the session is deleted."""
    fake = FakeTransport()
    fake.on_execute(contains="1 + 1", stdout="2\n")
    with Buntime(transport=fake) as client:
        response = (
            create_app(client)
            .test_client()
            .post("/run", json={"code": "console.log(1 + 1)"})
        )
    assert response.json["stdout"] == "2\n"
    assert fake.sessions == {}


def test_a_busy_service_is_a_503() -> None:
    """The client of the application learns when to try again."""
    fake = FakeTransport()
    fake.fail_next(429, headers={"Retry-After": "7"})
    with Buntime(transport=fake, max_retries=0) as client:
        response = create_app(client).test_client().post("/run", json={"code": "1"})
    assert (response.status_code, response.json) == (
        503,
        {"error": "busy", "retry_after": 7},
    )


def test_input_of_users_is_checked() -> None:
    """Something that is not code is their error, and nothing is executed."""
    fake = FakeTransport()
    with Buntime(transport=fake) as client:
        http = create_app(client).test_client()
        for code in (5, None, "\ud800"):
            assert http.post("/run", json={"code": code}).status_code == 422
    assert fake.sessions == {}
