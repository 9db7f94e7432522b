"""Too many variables raised "env may be at most 100", as if ``env`` were a number."""

from __future__ import annotations

import pytest

from buntime import Buntime, ExecuteRequest, InvalidRequestError
from buntime.transport import FakeTransport


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (ExecuteRequest("1", env=dict.fromkeys(map("N{}".format, range(101)), "")), "env .* 100 variables"),
        (ExecuteRequest("1", files=dict.fromkeys(map(str, range(1001)), "")), "files .* 1000 entries"),
    ],
    ids=["env", "files"],
)
def test_the_message_names_the_unit(request_: ExecuteRequest, message: str) -> None:
    """The message names the unit that is counted."""
    client = Buntime(transport=FakeTransport())
    with client, client.sessions.create() as session, pytest.raises(InvalidRequestError, match=message):
        session.execute(request_)
