"""The ``repr`` of a result with 1 MB of output had 1 MB, in tracebacks and logs too."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import ExecuteRequest, ExecuteResult, Outcome, ProcessLogs, StreamEvent, TransferResult

LONG = "first" + "x" * 1_000_000 + "last"
NAMES = tuple(f"file{number}.txt" for number in range(10_000))
VALUES: list[Any] = [
    ExecuteRequest(LONG),
    ExecuteRequest(command=LONG),
    ExecuteRequest("1", files={"a.txt": LONG}),
    ExecuteRequest("1", files=dict.fromkeys(NAMES, LONG)),
    ExecuteResult(LONG, LONG, 0, files_written=NAMES),
    Outcome(ExecuteRequest(LONG), ExecuteResult(LONG, LONG, 0)),
    ProcessLogs(LONG, LONG, 1, 1),
    StreamEvent("stdout", LONG),
    TransferResult(NAMES, 0, NAMES, 1),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_large_value_has_a_short_repr(value: Any) -> None:
    """It shows both ends of a text and the first items of a list."""
    text = repr(value)
    assert len(text) < 10_000
    assert "first" in text or "file0.txt" in text


def test_a_small_value_shows_everything() -> None:
    """The ``repr`` of a usual result is that of its fields."""
    assert "ExecuteResult(stdout='out\\n', stderr='', exit_code=0," in repr(ExecuteResult("out\n", "", 0))
