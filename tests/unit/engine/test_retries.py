"""The retry policy as a value."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buntime import (
    APIConnectionError,
    APIStatusError,
    BuntimeError,
    ConfigurationError,
    ExecutionTimeoutError,
    InvalidResponseError,
    RateLimitError,
    ServerError,
)
from buntime.engine.retries import RetryPolicy
from buntime.errors import Phase


@given(
    attempt=st.integers(1, 5000),
    delay=st.floats(0, 1e9),
    fraction=st.floats(0, 1),
)
def test_a_back_off_is_below_its_bound(attempt: int, delay: float, fraction: float) -> None:
    """Full jitter: random below ``min(30, retry_delay * 2 ** n)``, however many attempts there were."""
    policy = RetryPolicy(max_retries=5000, retry_delay=delay)
    pause = policy.delay(ServerError("no", status=503), attempt, False, fraction)
    assert pause is not None
    assert 0 <= pause <= 30
    assert pause <= delay * 2.0 ** min(attempt - 1, 64)


@pytest.mark.parametrize(
    ("attempt", "expected"), [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (9, 30.0)]
)
def test_the_bound_doubles_up_to_thirty_seconds(attempt: int, expected: float) -> None:
    """The first pause is below ``retry_delay``, each next one below twice as much."""
    policy = RetryPolicy(max_retries=10, retry_delay=1.0)
    assert expected == policy.delay(ServerError("no", status=503), attempt, False, 1.0)


def test_after_the_last_retry_there_is_none() -> None:
    """``max_retries`` counts what comes after the first attempt."""
    policy = RetryPolicy(max_retries=2)
    error = ServerError("no", status=503)
    assert policy.delay(error, 2, False, 0.5) is not None
    assert policy.delay(error, 3, False, 0.5) is None


@pytest.mark.parametrize(
    ("asked", "expected"), [(0.0, 0.0), (7.5, 7.5), (60.0, 60.0), (60.5, None), (1e9, None)]
)
def test_retry_after_is_obeyed_up_to_a_minute(asked: float, expected: float | None) -> None:
    """What the service asks for takes the place of the jitter; a longer wait is the caller's to decide."""
    error = RateLimitError("no", status=429, retry_after=asked)
    assert expected == RetryPolicy().delay(error, 1, False, 0.5)


@pytest.mark.parametrize(
    "error",
    [
        InvalidResponseError("no", status=200),
        ExecutionTimeoutError("no", status=408),
        ServerError("no", status=507),
        ServerError("no", status=501),
        APIStatusError("no", status=404),
        APIStatusError("an error event has no status"),
        ConfigurationError("no"),
        BuntimeError("no"),
    ],
)
def test_what_cannot_get_better_is_not_repeated(error: BuntimeError) -> None:
    """These come back the same however often the call is sent."""
    assert not RetryPolicy.may_retry(error, idempotent=True)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_connection_never_made_is_always_tried_again(idempotent: bool) -> None:
    """Nothing reached the service, so nothing can happen twice."""
    assert RetryPolicy.may_retry(APIConnectionError("no", phase="connect"), idempotent)


@pytest.mark.parametrize("phase", ["send", "read"])
def test_a_lost_connection_is_tried_again_where_that_is_safe(phase: Phase) -> None:
    """Once something was sent, the call decides."""
    error = APIConnectionError("no", phase=phase)
    assert RetryPolicy.may_retry(error, idempotent=True)
    assert not RetryPolicy.may_retry(error, idempotent=False)


def test_a_policy_is_a_value() -> None:
    """It compares by what it says and cannot be changed."""
    assert RetryPolicy(2, 1.0) == RetryPolicy()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RetryPolicy().max_retries = 3  # type: ignore[misc]  # the point of the test
