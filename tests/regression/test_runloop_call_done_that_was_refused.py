"""A Runloop deletion that only met a rate limit and then a 404 was reported as done."""

from __future__ import annotations

import pytest

from buntime.errors import APIStatusError
from buntime.runloop.wire.routes import ROUTES, Repeat, Route
from tests.runloop.client.stub import Stub, call
from tests.support.cases import in_one_test


@in_one_test("first", ["before", 429])
@in_one_test(
    "route",
    [route for route in ROUTES.values() if route.repeat in {Repeat.END, Repeat.SETTLE}],
    ids=lambda route: route.name,
)
def test_refusal_after_an_attempt_without_effect(route: Route, first: object) -> None:
    """If no earlier attempt can have been carried out, the refusal of a repeat is the error of the call."""
    stub = Stub(first, 409)  # type: ignore[arg-type]  # one of the two kinds of a fault
    with stub.client() as runloop, pytest.raises(APIStatusError) as caught:
        call(runloop, route)
    assert (409, 2, []) == (caught.value.status, caught.value.attempts, stub.acted)
