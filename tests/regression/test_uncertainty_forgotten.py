"""After a lost answer, a refused connection made the outcome look certain."""

from __future__ import annotations

import pytest

from buntime import APIConnectionError, Buntime
from tests.support.scripted import ScriptedTransport, lost


def test_what_an_earlier_attempt_may_have_done_is_not_forgotten() -> None:
    """The session may exist, whatever became of the second attempt."""
    client = Buntime(transport=ScriptedTransport(lost("read"), lost("connect")), max_retries=1)
    with pytest.raises(APIConnectionError) as caught:
        client.sessions.create()
    assert 2 == caught.value.attempts
    assert caught.value.maybe_executed


def test_a_read_changes_nothing_however_often_it_fails() -> None:
    """Nothing is uncertain about it."""
    client = Buntime(transport=ScriptedTransport(lost("read"), lost("read")), max_retries=1)
    with pytest.raises(APIConnectionError) as caught:
        client.sessions.info("ses_1")
    assert not caught.value.maybe_executed
