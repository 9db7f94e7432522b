"""A captive portal's page was reported as a stream that ended early, with advice about the network."""

from __future__ import annotations

import pytest

from buntime import Buntime, InvalidResponseError
from tests.support import responses
from tests.support.scripted import ScriptedTransport, always


def test_a_page_instead_of_a_stream() -> None:
    """The page is not treated as an execution without output, and the error contains it."""
    transport = ScriptedTransport(
        always(responses.raw, b"<html>Sign in</html>", 200, [("Content-Type", "text/html; charset=utf-8")])
    )
    stream = Buntime(transport=transport).stream(session_id="ses_1", code="1")
    with pytest.raises(InvalidResponseError, match="HTML") as caught:
        list(stream)
    assert b"<html>Sign in</html>" == caught.value.body
    assert 1 == transport.responses_closed
