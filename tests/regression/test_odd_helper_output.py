"""A helper whose last line was JSON, but no object, ended in a TypeError."""

from __future__ import annotations

import pytest

from buntime import Buntime, InvalidResponseError
from tests.support import responses
from tests.support.scripted import ScriptedTransport, always


@pytest.mark.parametrize("line", ["42", "[1]", "null", "[" * 100_000], ids=["number", "list", "null", "deep"])
def test_it_is_an_answer_that_is_not_ours(line: str) -> None:
    """And not an error of Python's."""
    printed = always(responses.as_json, responses.result(stdout=line))
    client = Buntime(transport=ScriptedTransport(always(responses.raw, b"", 404), printed))
    with pytest.raises(InvalidResponseError, match="helper"):
        client.files.read(session_id="ses_1", path="a.txt")
