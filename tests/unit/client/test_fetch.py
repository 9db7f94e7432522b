"""Arguments and values of requests to servers in a session."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import APIConnectionError, Buntime, FetchResponse, ServerError
from buntime.transport import FakeTransport
from tests.support.cases import in_one_test


@in_one_test(
    ("arguments", "message"),
    [
        ({"port": 0}, "port"),
        ({"path": "example.com"}, "path must begin with '/'"),
        ({"method": "GET", "body": "text"}, "a GET can have none"),
        ({"method": "PUT", "body": bytes(4 * 1024 * 1024 + 1)}, "at most 4194304"),
        ({"method": "PUT", "body": 1}, "body must be str or bytes, not int"),
        ({"timeout": None}, "timeout"),
        ({"timeout": 0}, "timeout"),
        ({"headers": {"a": 1}}, "headers must have str"),
    ],
)
def test_bad_arguments_are_not_sent(arguments: dict[str, Any], message: str) -> None:
    """They raise errors that name the argument."""
    with Buntime(transport=FakeTransport()) as client:
        session = client.sessions.attach("ses_1")
        with pytest.raises((TypeError, ValueError), match=message):
            session.fetch(**{"port": 80, **arguments})


def test_only_reads_are_sent_again() -> None:
    """After a lost response; the error of another method has ``maybe_executed``."""
    fake = FakeTransport()
    with Buntime(transport=fake, retry_delay=0) as client, client.sessions.create() as session:
        sent = len(fake.calls)
        fake.fail_next("dropped", call="POST /execute")
        with pytest.raises(APIConnectionError) as lost:
            session.fetch(80, method="POST", body="text")
        assert (True, sent + 1) == (lost.value.maybe_executed, len(fake.calls))
        fake.fail_next("dropped", call="POST /execute")
        with pytest.raises(ServerError, match="A fake has no servers"):
            session.fetch(80)
        assert sent + 3 <= len(fake.calls)


def test_values() -> None:
    """Text has a replacement for bytes that are not UTF-8."""
    response = FetchResponse(200, {}, b"a\xff")
    assert ("a\ufffd", "FetchResponse(status=200, headers={})") == (response.text, repr(response))
