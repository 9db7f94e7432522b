"""After a lost response, a refused connection reset ``maybe_executed``."""

from __future__ import annotations

import pytest

from buntime import APIConnectionError, Buntime
from tests.support.scripted import ScriptedTransport, lost


def test_a_lost_first_attempt_keeps_maybe_executed() -> None:
    """The session may exist, whatever the result of the second attempt."""
    client = Buntime(transport=ScriptedTransport(lost("read"), lost("connect")), max_retries=1)
    with pytest.raises(APIConnectionError) as caught:
        client.sessions.create()
    assert 2 == caught.value.attempts
    assert caught.value.maybe_executed


def test_failed_reads_do_not_set_maybe_executed() -> None:
    """A failed read is never uncertain."""
    client = Buntime(transport=ScriptedTransport(lost("read"), lost("read")), max_retries=1)
    with pytest.raises(APIConnectionError) as caught:
        client.sessions.info("ses_1")
    assert not caught.value.maybe_executed
