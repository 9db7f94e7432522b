"""An error after a successful retry reported one attempt."""

from __future__ import annotations

import pytest

from buntime import APIConnectionError, Buntime, ExecutionFailedError
from buntime.transport import Response
from tests.support import responses
from tests.support.scripted import ScriptedTransport, always, cut, lost


def test_a_retried_stream_counts_its_attempts() -> None:
    """An idempotent stream is retried until its first byte arrives."""
    transport = ScriptedTransport(
        lambda: Response(200, [("Content-Type", "text/event-stream")], cut(then=lost("read"))),
        always(responses.event_stream, responses.event("stdout", {"text": "a"})),
    )
    stream = Buntime(transport=transport).stream(session_id="ses_1", code="1", idempotent=True)
    with pytest.raises(APIConnectionError) as caught:
        list(stream)
    assert 2 == caught.value.attempts
    assert 2 == transport.responses_closed


def test_a_failed_check_after_a_retry_counts_its_attempts() -> None:
    """The error that ``check=True`` raises also reports the number of attempts."""
    failed = always(responses.as_json, responses.result(exitCode=3))
    transport = ScriptedTransport(always(responses.error, 503, ""), failed)
    with pytest.raises(ExecutionFailedError) as caught:
        Buntime(transport=transport).execute(session_id="ses_1", code="1", check=True)
    assert 2 == caught.value.attempts
