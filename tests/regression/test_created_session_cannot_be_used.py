"""A service could create a session with an id that no later call can send."""

from __future__ import annotations

import json

import pytest

from buntime import Buntime, InvalidResponseError
from tests.support import responses
from tests.support.cases import in_one_test
from tests.support.scripted import ScriptedTransport, always

UNUSABLE = ["", " ", ".", "..", "a/b", "../files", "ses_\ud800", "ses_\0", "ses_1\r\nX-Evil: 1", "ses\x1b[2J"]


@in_one_test("session_id", UNUSABLE)
def test_create_and_info_reject_an_unusable_id(session_id: str) -> None:
    """The response is invalid when the session is created, not when it is first used."""
    created = always(responses.as_json, {**responses.CREATED, "sessionId": session_id})
    with pytest.raises(InvalidResponseError, match="sessionId"):
        Buntime(transport=ScriptedTransport(created)).sessions.create()
    info = always(responses.as_json, {**responses.INFO, "sessionId": session_id})
    with pytest.raises(InvalidResponseError, match="sessionId"):
        Buntime(transport=ScriptedTransport(info)).sessions.info("ses_1")


@in_one_test("session_id", UNUSABLE)
def test_an_unusable_argument_sends_nothing(session_id: str) -> None:
    """The same ids are rejected as arguments, before a request is sent."""
    transport = ScriptedTransport(always(responses.as_json, responses.INFO))
    client = Buntime(transport=transport)
    for call in (
        lambda: client.sessions.attach(session_id),
        lambda: client.sessions.info(session_id),
        lambda: client.sessions.delete(session_id),
        lambda: client.execute(session_id=session_id, code="1"),
        lambda: client.kill(session_id=session_id, pid=1),
        lambda: client.files.read(session_id=session_id, path="a"),
    ):
        with pytest.raises(ValueError, match="session_id"):
            call()
    assert [] == transport.requests


def test_the_error_can_be_shown() -> None:
    """A lone surrogate in the id is escaped in the message."""
    raw = json.dumps({**responses.CREATED, "sessionId": "ses_\ud800"}).encode()
    client = Buntime(transport=ScriptedTransport(always(responses.raw, raw)))
    with pytest.raises(InvalidResponseError) as caught:
        client.sessions.create()
    assert str(caught.value).encode()
