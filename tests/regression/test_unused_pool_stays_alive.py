"""A pool that was neither used nor closed stayed in memory until the end of the program."""

from __future__ import annotations

import gc
import weakref
from typing import Any, Callable

import pytest

from buntime import Buntime, SessionPool
from buntime.transport import FakeTransport


def _run_and_close(pool: SessionPool) -> None:
    with pool:
        assert ["a", "b"] == [outcome.value for outcome in pool.map(lambda _, item: item, "ab")]


_USES: dict[str, Callable[[SessionPool], object]] = {
    "none": lambda pool: None,
    "map": lambda pool: pool.map(lambda session, item: item, "ab"),
    "executor": lambda pool: pool.executor(),
    "closed": _run_and_close,
}


@pytest.mark.parametrize("use", _USES)
def test_a_pool_without_sessions_is_garbage(use: str) -> None:
    """Nothing holds it, nor its client, when the program does not."""
    client = Buntime(transport=FakeTransport())
    pool = SessionPool(client, size=2)
    _USES[use](pool)
    objects: list[weakref.ref[Any]] = [weakref.ref(each) for each in (client, pool, pool._registry)]
    del client, pool
    gc.collect()
    assert [None, None, None] == [each() for each in objects]
