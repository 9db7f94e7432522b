"""A TypeError that an iterable raised itself was replaced by "items must be iterable"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable

import pytest

from buntime import Buntime, SessionPool
from buntime.transport import FakeTransport
from tests.support.cases import in_one_test


class _Dataset:
    def __iter__(self) -> Iterator[Any]:
        raise TypeError("the data set has no split")


@in_one_test(
    "call",
    [
        lambda pool: pool.map(print, _Dataset()),
        lambda pool: pool.execute(_Dataset()),
        lambda pool: pool.call("x => x", _Dataset()),
    ],
)
def test_a_type_error_of_an_iterable_is_raised(call: Callable[[SessionPool], object]) -> None:
    """It tells what is wrong with the iterable."""
    with (
        Buntime(transport=FakeTransport()) as client,
        SessionPool(client) as pool,
        pytest.raises(TypeError, match="the data set has no split"),
    ):
        call(pool)
