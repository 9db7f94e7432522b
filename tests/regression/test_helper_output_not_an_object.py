"""Helper output whose last line was JSON but not an object raised a TypeError."""

from __future__ import annotations

import pytest

from buntime import Buntime, InvalidResponseError
from tests.support import responses
from tests.support.scripted import ScriptedTransport, always


@pytest.mark.parametrize("line", ["42", "[1]", "null", "[" * 100_000], ids=["number", "list", "null", "deep"])
def test_output_that_is_not_an_object_is_an_invalid_response(line: str) -> None:
    """The error is an InvalidResponseError, not an error of Python."""
    printed = always(responses.as_json, responses.result(stdout=line))
    client = Buntime(transport=ScriptedTransport(always(responses.raw, b"", 404), printed))
    with pytest.raises(InvalidResponseError, match="helper"):
        client.files.read(session_id="ses_1", path="a.txt")
