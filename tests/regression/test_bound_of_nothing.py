"""Too many variables were refused with "env may be at most 100", as if ``env`` were a number."""

from __future__ import annotations

import pytest

from buntime import Buntime, ExecuteRequest, InvalidRequestError
from buntime.transport import FakeTransport


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ExecuteRequest("1", env=dict.fromkeys(map("N{}".format, range(101)), "")), "env .* 100 variables"),
        (ExecuteRequest("1", files=dict.fromkeys(map(str, range(1001)), "")), "files .* 1000 entries"),
    ],
    ids=["env", "files"],
)
def test_the_message_says_what_there_is_too_much_of(request_: ExecuteRequest, said: str) -> None:
    """By what it counts."""
    client = Buntime(transport=FakeTransport())
    with client, client.sessions.create() as session, pytest.raises(InvalidRequestError, match=said):
        session.execute(request_)
