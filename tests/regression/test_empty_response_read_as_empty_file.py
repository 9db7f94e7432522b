"""A 204, and a response without a body, were read as an empty file."""

from __future__ import annotations

import pytest

from buntime import Buntime, InvalidResponseError
from buntime.transport import Response
from tests.support.scripted import ScriptedTransport


@pytest.mark.parametrize("status", [200, 204])
def test_a_response_without_content_is_not_a_file(status: int) -> None:
    """An empty file has a Content-Type."""
    client = Buntime(transport=ScriptedTransport(lambda: Response(status)))
    with pytest.raises(InvalidResponseError, match="neither content nor a Content-Type"):
        client.files.read(session_id="ses_1", path="a.txt")


def test_an_empty_file_is_read() -> None:
    """The content may be the body itself."""
    transport = ScriptedTransport(lambda: Response(200, [("Content-Type", "text/plain")]))
    assert "" == Buntime(transport=transport).files.read(session_id="ses_1", path="a.txt")
