"""Types of a pool. Checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import Optional

from typing_extensions import assert_type

from buntime import Buntime, ExecuteRequest, ExecuteResult, Outcome, ResourceLimits, Session, SessionPool


def _count(session: Session, text: str) -> int:
    return int(session.execute(text).stdout)


def construction(client: Buntime) -> None:
    """Every option, and invalid ones."""
    SessionPool(client)
    SessionPool(client, 4, ttl=600, metadata={"a": [1]}, resource_limits=ResourceLimits(), reuse=False)
    SessionPool(client, size="4")  # type: ignore[arg-type]  # expected: a number
    SessionPool(client, 4, 600)  # type: ignore[call-arg]  # expected: keywords only
    SessionPool()  # type: ignore[call-arg]  # expected: a client


def outcomes(client: Buntime) -> None:
    """Items and values keep their types."""
    with SessionPool(client) as pool:
        assert_type(pool, SessionPool)
        results = pool.map(_count, ["1", "2"])
        for outcome in results:
            assert_type(outcome, Outcome[str, int])
            assert_type(outcome.item, str)
            assert_type(outcome.value, Optional[int])
            assert_type(outcome.error, Optional[Exception])
            assert_type(outcome.ok, bool)
            assert_type(outcome.result(), int)
        results.close()
        for executed in pool.execute((ExecuteRequest(code) for code in "ab"), ordered=False):
            assert_type(executed, Outcome[ExecuteRequest, ExecuteResult])
            assert_type(executed.result(), ExecuteResult)
        assert_type(pool.warm(), int)
        assert_type(pool.warm(3), int)
        assert_type(pool.size, int)
        with pool.session() as session:
            assert_type(session, Session)
        pool.map(_count, [1])  # type: ignore[arg-type]  # expected: items of the function's type
        pool.map(len, ["1"])  # type: ignore[arg-type]  # expected: a session and an item
        pool.execute(["1"])  # type: ignore[list-item]  # expected: requests
    outcome.error = None  # type: ignore[misc]  # expected: values are frozen
