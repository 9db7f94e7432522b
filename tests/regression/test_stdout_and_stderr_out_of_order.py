"""Output to stdout was delivered before earlier output to stderr."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import Buntime, StreamEvent
from buntime.transport import LocalTransport

# The kernel dates what is written to a pipe by its tick, of up to 10 ms.
_ERROR_FIRST = "console.error('first'); await Bun.sleep(40); console.log('second')"
_OUTPUT_FIRST = "console.log('first'); await Bun.sleep(40); console.error('second')"


@pytest.mark.parametrize(
    ("code", "kinds"), [(_ERROR_FIRST, ("stderr", "stdout")), (_OUTPUT_FIRST, ("stdout", "stderr"))]
)
def test_output_is_delivered_in_the_order_of_writing(code: str, kinds: tuple[Any, Any]) -> None:
    """The order is correct even if both streams have data when they are read."""
    expected = [StreamEvent(kinds[0], "first\n"), StreamEvent(kinds[1], "second\n")]
    with Buntime(transport=LocalTransport()) as client, client.sessions.create() as session:
        for _ in range(5):
            with session.stream(code) as stream:
                assert expected == list(stream)
