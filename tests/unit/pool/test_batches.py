"""Call a function with many rows in few executions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buntime import (
    Buntime,
    ExecutionFailedError,
    JavaScriptError,
    Session,
    SessionFileNotFoundError,
    SessionPool,
)
from buntime.transport import FakeTransport, LocalTransport
from tests.support import effort
from tests.support.cases import in_one_test

DOUBLE = "(n) => n * 2"


class Calls:
    """A function on a fake that records its arguments; some rows end the process, others throw."""

    def __init__(self, *, deadly: frozenset[int] = frozenset()) -> None:
        self.rows: list[Any] = []
        self.deadly = deadly
        self.fake = FakeTransport()
        self.fake.on_call(DOUBLE, handler=self._double)

    def _double(self, row: Any) -> Any:
        self.rows.append(row)
        if row in self.deadly:
            raise ExecutionFailedError(f"row {row} ended the process")
        if row == -1:
            raise JavaScriptError("negative", name="RangeError", stack="RangeError: negative")
        return row * 2

    @property
    def executions(self) -> int:
        """The number of executions that the service received."""
        return sum(call.path == "/execute" for call in self.fake.calls)


def _call(fake: FakeTransport, rows: Any, **options: Any) -> list[Any]:
    with Buntime(transport=fake, max_retries=0) as client, SessionPool(client, size=2) as pool:
        return [
            outcome.value if outcome.ok else outcome.error for outcome in pool.call(DOUBLE, rows, **options)
        ]


def test_rows_share_executions() -> None:
    """``batch`` rows each; the last batch has the rest."""
    calls = Calls()
    assert [0, 2, 4, 6, 8, 10, 12] == _call(calls.fake, range(7), batch=3)
    assert 3 == calls.executions


def test_an_execution_that_dies_is_halved() -> None:
    """The row that ended it has the error, and those beside it a value."""
    calls = Calls(deadly=frozenset({5}))
    results = _call(calls.fake, range(8), batch=8)
    assert "row 5 ended the process" in str(results.pop(5))
    assert [0, 2, 4, 6, 8, 12, 14] == results
    # All, the halves, the quarters of the second half, and its third quarter's rows.
    assert 7 == calls.executions


def test_rows_of_batches_of_one_run_once() -> None:
    """Also those before and after one that ends its process."""
    calls = Calls(deadly=frozenset({1}))
    _call(calls.fake, range(3), batch=1)
    assert [0, 1, 2] == sorted(calls.rows)


def test_a_lost_response_is_the_error_of_its_rows() -> None:
    """It is not sent again, unless the function is ``idempotent``."""
    calls = Calls()
    calls.fake.fail_next("dropped", call="POST /execute")
    results = _call(calls.fake, [1, 2, 3, 4], batch=2)
    assert [True] * 2 == [error.maybe_executed for error in results if not isinstance(error, int)]
    assert [1, 2, 3, 4] == sorted(calls.rows)
    calls = Calls()
    calls.fake.fail_next("dropped", call="POST /execute")
    with Buntime(transport=calls.fake, retry_delay=0) as client, SessionPool(client) as pool:
        assert [2, 4] == [outcome.value for outcome in pool.call(DOUBLE, [1, 2], idempotent=True)]


def test_an_error_of_the_rows_follows_the_rows_before_it() -> None:
    """Also if it is raised in the middle of a batch."""

    def rows() -> Iterator[int]:
        yield from range(3)
        raise LookupError("no more")

    with Buntime(transport=Calls().fake) as client, SessionPool(client) as pool:
        outcomes = pool.call(DOUBLE, rows(), batch=2)
        assert [0, 2, 4] == [next(outcomes).value for _ in range(3)]
        with pytest.raises(LookupError, match="no more"):
            next(outcomes)


def test_rows_are_read_as_they_are_requested() -> None:
    """At most ``2 * size`` batches ahead, and no more after the loop was left."""
    read = []
    with Buntime(transport=Calls().fake) as client, SessionPool(client, size=1) as pool:
        outcomes = pool.call(DOUBLE, (read.append(n) or n for n in range(1000)), batch=5)  # type: ignore[func-returns-value]  # None
        assert 0 == next(outcomes).value
        outcomes.close()
    assert len(read) <= 15


def test_rows_without_a_javascript_value_are_not_sent() -> None:
    """A batch of nothing else sends nothing."""
    calls = Calls()
    errors = _call(calls.fake, [object(), 1j])
    assert [TypeError, TypeError] == [type(error) for error in errors]
    assert 0 == calls.executions


@in_one_test(
    ("options", "message"),
    [
        ({"function": ""}, "function is empty"),
        ({"batch": 0}, "batch"),
        ({"timeout": 0}, "timeout"),
        ({"ordered": 1}, "ordered"),
        ({"idempotent": 1}, "idempotent"),
        ({"progress": 1}, "progress must be callable"),
    ],
)
def test_bad_arguments_are_errors_of_the_call(options: dict[str, Any], message: str) -> None:
    """Before a row is read."""
    with Buntime(transport=FakeTransport()) as client:
        pool = SessionPool(client)
        with pytest.raises((TypeError, ValueError), match=message):
            pool.call(**{"function": DOUBLE, "rows": [], **options})


@settings(max_examples=effort.examples(40), deadline=None)
@given(
    rows=st.lists(st.integers(-1, 9), max_size=12),
    batch=st.integers(1, 13),
    deadly=st.frozensets(st.integers(0, 9), max_size=3),
)
def test_batches_have_the_outcomes_of_single_calls(
    rows: list[int], batch: int, deadly: frozenset[int]
) -> None:
    """Whatever the size of a batch, whichever rows throw or end the process."""

    def single(session: Session, row: int) -> Any:
        return session.call(DOUBLE, row)

    with Buntime(transport=Calls(deadly=deadly).fake) as client, SessionPool(client, size=2) as pool:
        batched = [(each.item, each.value, str(each.error)) for each in pool.call(DOUBLE, rows, batch=batch)]
        alone = [(each.item, each.value, str(each.error)) for each in pool.map(single, rows)]
    assert alone == batched


def test_rows_that_end_their_process_on_this_machine() -> None:
    """By its exit, a time limit, or an error that is raised later; one that is missing is each row's."""
    function = """async (row) => {
      if (row === 1) process.exit(3);
      if (row === 2) while (true);
      if (row === 3) { setTimeout(() => { throw new Error("later") }); await Bun.sleep(60000); }
      return row;
    }"""
    with Buntime(transport=LocalTransport()) as client, SessionPool(client, size=2) as pool:
        outcomes = list(pool.call(function, range(5), batch=3, timeout=1))
        missing = [type(each.error) for each in pool.call("./missing.ts", [1, 2])]
        wrong = [str(each.error) for each in pool.call("3", [1, 2])]
    assert [0, None, None, None, 4] == [outcome.value for outcome in outcomes]
    errors = [str(outcome.error) for outcome in outcomes[1:4]]
    expected = ["process.exit(3)", "time limit", "Error: later"]
    assert [True] * 3 == [part in text for part, text in zip(expected, errors)], errors
    assert [SessionFileNotFoundError] * 2 == missing
    assert [True] * 2 == ["not a function" in text for text in wrong]
