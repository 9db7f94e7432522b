"""The ``repr`` of a result with 1 MB of output had 1 MB, in tracebacks and logs too."""

from __future__ import annotations

from typing import Callable

from buntime import ExecuteRequest, ExecuteResult, Outcome, ProcessLogs, StreamEvent, TransferResult
from tests.support.cases import in_one_test

LONG = "first" + "x" * 1_000_000 + "last"
NAMES = tuple(f"file{number}.txt" for number in range(10_000))
VALUES: list[Callable[[], object]] = [
    lambda: ExecuteRequest(LONG),
    lambda: ExecuteRequest(command=LONG),
    lambda: ExecuteRequest("1", files={"a.txt": LONG}),
    lambda: ExecuteRequest("1", files={**dict.fromkeys(NAMES, "x"), "file0.txt": LONG}),
    lambda: ExecuteResult(LONG, LONG, 0, files_written=NAMES),
    lambda: Outcome(ExecuteRequest(LONG), ExecuteResult(LONG, LONG, 0)),
    lambda: ProcessLogs(LONG, LONG, 1, 1),
    lambda: StreamEvent("stdout", LONG),
    lambda: TransferResult(NAMES, 0, NAMES, 1),
]


@in_one_test("make_value", VALUES)
def test_a_large_value_has_a_short_repr(make_value: Callable[[], object]) -> None:
    """It shows both ends of a text and the first items of a list."""
    text = repr(make_value())
    assert len(text) < 10_000
    assert "first" in text or "file0.txt" in text


def test_a_small_value_shows_everything() -> None:
    """The ``repr`` of a usual result is that of its fields."""
    assert "ExecuteResult(stdout='out\\n', stderr='', exit_code=0," in repr(ExecuteResult("out\n", "", 0))
