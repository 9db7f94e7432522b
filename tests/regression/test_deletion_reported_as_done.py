"""The deletion of a session that only met a rate limit and then a 404 was reported as done."""

from __future__ import annotations

import pytest

from buntime import Buntime, NotFoundError
from tests.support import responses
from tests.support.scripted import ScriptedTransport, always, lost


def test_404_after_an_attempt_without_effect() -> None:
    """If no earlier attempt can have deleted the session, its absence is an error."""
    for first in (always(responses.error, 429, "RATE_LIMITED"), lost("connect")):
        transport = ScriptedTransport(first, always(responses.error, 404, "SESSION_NOT_FOUND"))
        with pytest.raises(NotFoundError) as caught:
            Buntime(transport=transport, retry_delay=0).sessions.delete("ses_1")
        assert 2 == caught.value.attempts


def test_404_after_a_lost_response() -> None:
    """If the response of an earlier attempt was lost, the session was deleted by it."""
    transport = ScriptedTransport(lost("read"), always(responses.error, 404, "SESSION_NOT_FOUND"))
    Buntime(transport=transport, retry_delay=0).sessions.delete("ses_1")
