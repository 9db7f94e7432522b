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
    InvalidRequestError,
    InvalidResponseError,
    RateLimitError,
    ServerError,
)
from buntime.engine.retries import RetryPolicy
from buntime.errors import Phase
from tests.support.cases import in_one_test


@given(
    attempt=st.integers(1, 5000),
    delay=st.floats(0, 1e9),
    fraction=st.floats(0, 1),
)
def test_a_delay_is_below_its_bound(attempt: int, delay: float, fraction: float) -> None:
    """Full jitter: random below ``min(30, retry_delay * 2 ** n)``, for any number of attempts."""
    policy = RetryPolicy(max_retries=5000, retry_delay=delay)
    pause = policy.delay(ServerError("no", status=503), attempt, False, fraction)
    assert pause is not None
    assert 0 <= pause <= 30
    assert pause <= delay * 2.0 ** min(attempt - 1, 64)


@in_one_test(("attempt", "expected"), [(1, 1.0), (2, 2.0), (3, 4.0), (5, 16.0), (6, 30.0), (9, 30.0)])
def test_the_bound_doubles_up_to_thirty_seconds(attempt: int, expected: float) -> None:
    """The first delay is below ``retry_delay``, and each bound is twice the previous one."""
    policy = RetryPolicy(max_retries=10, retry_delay=1.0)
    assert expected == policy.delay(ServerError("no", status=503), attempt, False, 1.0)


def test_after_the_last_retry_there_is_none() -> None:
    """``max_retries`` counts the attempts after the first."""
    policy = RetryPolicy(max_retries=2)
    error = ServerError("no", status=503)
    assert policy.delay(error, 2, False, 0.5) is not None
    assert policy.delay(error, 3, False, 0.5) is None


@in_one_test(("retry_after", "expected"), [(0.0, 0.0), (7.5, 7.5), (60.0, 60.0), (60.5, None), (1e9, None)])
def test_retry_after_is_respected_up_to_a_minute(retry_after: float, expected: float | None) -> None:
    """The delay of the service replaces the jitter; for a longer one, the caller decides."""
    error = RateLimitError("no", status=429, retry_after=retry_after)
    assert expected == RetryPolicy().delay(error, 1, False, 0.5)


@in_one_test(
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
def test_a_permanent_error_is_not_retried(error: BuntimeError) -> None:
    """A retry would return the same error."""
    assert not RetryPolicy.may_retry(error, idempotent=True)


@pytest.mark.parametrize("idempotent", [True, False])
def test_a_failed_connection_is_always_retried(idempotent: bool) -> None:
    """Nothing reached the service, so nothing can be executed twice."""
    assert RetryPolicy.may_retry(APIConnectionError("no", phase="connect"), idempotent)


@pytest.mark.parametrize("phase", ["send", "read"])
def test_a_lost_connection_is_retried_if_the_request_is_idempotent(phase: Phase) -> None:
    """The service may have executed the request."""
    error = APIConnectionError("no", phase=phase)
    assert RetryPolicy.may_retry(error, idempotent=True)
    assert not RetryPolicy.may_retry(error, idempotent=False)


def test_a_policy_is_a_value() -> None:
    """It compares by value and cannot be changed."""
    assert RetryPolicy(2, 1.0) == RetryPolicy()
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        RetryPolicy().max_retries = 3  # type: ignore[misc]  # the point of the test


def test_service_decides_about_retries() -> None:
    """``should_retry`` forbids any retry of a status, and allows one only of an idempotent call."""
    refused, invited = ServerError("failed", status=503), InvalidRequestError("failed", status=400)
    refused.should_retry, invited.should_retry = False, True

    assert not RetryPolicy.may_retry(refused, idempotent=True)
    assert RetryPolicy.may_retry(invited, idempotent=True)
    assert not RetryPolicy.may_retry(invited, idempotent=False)
