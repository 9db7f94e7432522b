"""A stream that was recorded without an event was taken for one that now has a single event."""

from __future__ import annotations

from datetime import date
from typing import Any

from buntime.cassette.diff import compare
from buntime.cassette.file import VERSION, Cassette, Interaction
from tests.support.cases import in_one_test

DAY = date(2026, 1, 1)
RESULT = [0, "result", {"exitCode": 0, "executionTime": 1}]
LATER = [9, "result", {"exitCode": 0, "executionTime": 2}]


def _stream(*events: Any) -> Cassette:
    request = {"method": "POST", "path": "/execute", "json": {"code": "1", "stream": True}}
    response = {"status": 200, "headers": {}, "events": [*events]}
    return Cassette(VERSION, DAY, (Interaction({"request": request, "response": response}),))


@in_one_test(
    ("recorded", "now", "is_change"),
    [
        ([], [RESULT], True),
        ([RESULT], [], True),
        ([RESULT], [LATER], False),
        ([[0, "stdout", "a"], RESULT], [LATER], True),
    ],
)
def test_events_of_a_stream_are_compared(recorded: list[Any], now: list[Any], is_change: bool) -> None:
    """An event that is new or missing is a change, and one that only varies is not."""
    assert is_change == bool(compare(_stream(*recorded), _stream(*now)))
