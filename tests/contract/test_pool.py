"""Many items over a pool of sessions."""

from __future__ import annotations

import pytest

from buntime import Buntime, ExecuteRequest, JavaScriptError, Session, SessionNotFoundError, SessionPool
from tests.contract import functions, programs


def test_requests_run_in_the_sessions_of_a_pool(client: Buntime) -> None:
    """Each outcome belongs to its request; the pool deletes its sessions."""
    requests = [ExecuteRequest(programs.PRINTS_ARGUMENT, env={"NUMBER": f"{n}"}) for n in range(12)]
    with SessionPool(client, size=3, ttl=600) as pool:
        assert 2 == pool.warm(2)
        with pool.session() as session:
            pass
        outcomes = list(pool.execute(requests))
    assert requests == [outcome.item for outcome in outcomes]
    assert [f"{number}\n" for number in range(12)] == [outcome.result().stdout for outcome in outcomes]
    with pytest.raises(SessionNotFoundError):
        client.sessions.info(session.id)


def test_functions_are_called_as_they_finish(client: Buntime) -> None:
    """The error of a function is the outcome of its item only."""

    def work(session: Session, number: int) -> int:
        if number == 2:
            session.call(functions.THROWS_TEXT)
        return int(session.call(functions.ADD, number, 1))

    with SessionPool(client, size=2) as pool:
        outcomes = {outcome.item: outcome for outcome in pool.map(work, range(4), ordered=False)}
    assert {0: 1, 1: 2, 2: None, 3: 4} == {item: outcome.value for item, outcome in outcomes.items()}
    assert isinstance(outcomes[2].error, JavaScriptError)


def test_rows_share_executions(client: Buntime) -> None:
    """Each row has its own value or error, in the order of the rows."""
    with SessionPool(client, size=2) as pool:
        *outcomes, last = pool.call(functions.THROWS, [*range(5), object()], batch=3)
        whole = [
            outcome.value for outcome in pool.call(functions.ECHO, [{"a": 2**70}, b"b", {1, 2}, float("inf")])
        ]
    assert [None] * 4 == [outcome.error for outcome in outcomes[:4]]
    assert isinstance(last.error, TypeError)
    error = outcomes[4].error
    assert isinstance(error, JavaScriptError)
    assert ("RangeError", "too deep: 4") == (error.name, error.message)
    assert "function:4:" in error.stack
    assert [[{"a": 2**70}], [b"b"], [{1, 2}], [float("inf")]] == whole


def test_a_session_that_was_deleted_is_replaced(client: Buntime) -> None:
    """An item whose session is missing is executed once, in another session."""
    with SessionPool(client, size=1) as pool:
        with pool.session() as session:
            pass
        client.sessions.delete(session.id)
        outcomes = list(pool.execute([ExecuteRequest(programs.HELLO)] * 2))
    assert ["hello\n"] * 2 == [outcome.result().stdout for outcome in outcomes]


def test_files_of_an_item_remain_for_the_next(client: Buntime) -> None:
    """Files remain for the next item, unless each item has its own session."""

    def note(session: Session, name: str) -> list[str]:
        before = [file.path for file in session.files.list()]
        session.files.write(name, "")
        return before

    with SessionPool(client, size=1) as pool:
        assert [[], ["a"]] == [outcome.value for outcome in pool.map(note, "ab")]
    with SessionPool(client, size=1, reuse=False) as pool:
        assert [[], []] == [outcome.value for outcome in pool.map(note, "ab")]
