"""Calling a function with many rows in one execution."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, Callable, TypeVar

import attrs

from buntime.client.functions import Functions
from buntime.client.replies import parse_reply
from buntime.client.session import Session
from buntime.errors import ExecutionFailedError, InvalidResponseError, ResourceLimitError
from buntime.helpers import js_values
from buntime.models import ExecuteRequest
from buntime.pool.outcome import Outcome, attempt

Row = TypeVar("Row")
Outcomes = list[Outcome[Any, Any]]


def call_batch(
    function: dict[str, Any], request: ExecuteRequest, run: Callable[..., Outcomes], rows: list[Any]
) -> Outcomes:
    """Return the outcome of each row. If an execution dies, its halves are called again."""
    outcome = attempt(rows, run, _call, request, function, rows)
    if outcome.error is None:
        return outcome.result()
    # These end the process of the function; after any other error it may have called it, or never will.
    if len(rows) > 1 and isinstance(outcome.error, (ExecutionFailedError, ResourceLimitError)):
        halves = rows[: len(rows) // 2], rows[len(rows) // 2 :]
        return [each for half in halves for each in call_batch(function, request, run, half)]
    return [Outcome(row, error=outcome.error) for row in rows]


def _call(session: Session, request: ExecuteRequest, function: dict[str, Any], rows: list[Any]) -> Outcomes:
    """Call the function with each row in one execution, and return the outcomes.

    A row without a JavaScript value is not sent, and has the ``TypeError`` or ``ValueError``.
    """
    outcomes: Outcomes = [attempt(row, js_values.encode_arguments, (row,)) for row in rows]
    sent = [number for number, outcome in enumerate(outcomes) if outcome.ok]
    if not sent:
        return outcomes
    functions = Functions(session._context)
    request = attrs.evolve(request, session_id=session.id)
    payload = {**function, "rows": [outcomes[number].value for number in sent]}
    with session._context.caller.one_deadline():
        result, reply = functions.run("call", request, payload, session._time_limit, None, None)
        replies = functions.value(session.id, reply, result)
        if not isinstance(replies, list) or len(replies) != len(sent):
            raise InvalidResponseError(f"the reply has another form than {len(sent)} rows: {replies!r:.200}")
        for number, line in zip(sent, replies):
            outcomes[number] = attempt(
                rows[number], lambda line=line: functions.value(session.id, parse_reply(line), result)
            )
    return outcomes


def split(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    """Yield lists of ``size`` rows and the rest; an exception of ``rows`` follows the rows before it."""
    batch: list[Row] = []
    try:
        for row in rows:
            batch.append(row)
            if len(batch) == size:
                yield batch
                batch = []
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def flatten(
    batches: Generator[Outcome[Any, Outcomes], None, None],
) -> Generator[Outcome[Any, Any], None, None]:
    """Yield the outcomes of the rows; closing it closes ``batches``."""
    with closing(batches):
        for batch in batches:
            yield from batch.result()
