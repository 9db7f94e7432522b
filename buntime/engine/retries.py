"""Which failed calls are retried, and when."""

from __future__ import annotations

import attrs

from buntime.errors import APIConnectionError, APIStatusError, BuntimeError

LONGEST_DELAY = 30.0
LONGEST_RETRY_AFTER = 60.0

_NOT_EXECUTED = frozenset({429, 503})
"""Statuses of requests that the service did not act on, unless ``maybe_executed`` of the error is true."""
_MAYBE_EXECUTED = frozenset({408, 500, 502, 503, 504})


@attrs.frozen
class RetryPolicy:
    """Allows ``max_retries`` retries after the first attempt; ``retry_delay`` is in seconds.

    A back-off is random below ``min(30, retry_delay * 2 ** n)`` (full jitter). ``Retry-After`` is obeyed up
    to 60 seconds; if it is longer, there is no retry.
    """

    max_retries: int = 2
    retry_delay: float = 1.0

    def delay(self, error: BuntimeError, attempt: int, idempotent: bool, fraction: float) -> float | None:
        """Return the seconds to wait after the failed ``attempt`` (from 1), or ``None`` to give up.

        ``idempotent`` means that the call may reach the service twice; ``fraction`` is the jitter, 0 to 1.
        """
        if attempt > self.max_retries or not self.may_retry(error, idempotent):
            return None
        if error.retry_after is not None:
            return error.retry_after if error.retry_after <= LONGEST_RETRY_AFTER else None
        # The exponent is limited because 2.0 ** 1024 is an OverflowError.
        return fraction * min(LONGEST_DELAY, self.retry_delay * 2.0 ** min(attempt - 1, 64))

    def pause_or_raise(
        self, error: BuntimeError, attempt: int, idempotent: bool, fraction: float, remaining: float | None
    ) -> float:
        """Return the seconds to wait, or raise the error if there is no retry within the remaining time."""
        pause = self.delay(error, attempt, idempotent, fraction)
        if pause is not None and (remaining is None or pause < remaining):
            return pause
        if error.retry_after is not None and error.retry_after > LONGEST_RETRY_AFTER:
            error.hint = (
                f"Retry after {error.retry_after:.0f} s (Retry-After); "
                f"the client waits at most {LONGEST_RETRY_AFTER:.0f} s"
            )
        raise error

    @staticmethod
    def may_retry(error: BuntimeError, idempotent: bool) -> bool:
        """Whether it is safe and useful to send the call again."""
        if isinstance(error, APIConnectionError):
            return idempotent or error.phase == "connect"
        if isinstance(error, APIStatusError) and error.status is not None:
            if error.should_retry is False:
                return False
            if error.status in _NOT_EXECUTED and not error.maybe_executed:
                return True
            return idempotent and (error.should_retry or error.status in _MAYBE_EXECUTED)
        return False
