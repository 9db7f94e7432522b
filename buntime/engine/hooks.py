"""Hooks of a caller: they observe its calls, and can delay them."""

from __future__ import annotations

from typing import Protocol

from buntime.errors import RateLimitError


class CallHooks(Protocol):
    """Called at the stages of each call. With it a session pool waits at limits and tracks its sessions."""

    def before_call(self) -> float:
        """Wait until requests may be sent; return the monotonic time then. An exception ends the call.

        Called before the first attempt, and again after each :meth:`on_rate_limit`. The deadline of the call
        starts here.
        """
        ...

    def on_rate_limit(self, error: RateLimitError, started: float, refusals: int, waited: float) -> None:
        """Return to repeat the call after :meth:`before_call`, or raise the error.

        ``started`` is what ``before_call`` returned; ``refusals`` counts this call's rate-limit errors,
        and ``waited`` is the number of seconds since its first attempt began.
        """

    def sleep(self, seconds: float, /) -> None:
        """Wait before a retry."""

    def on_error(self, error: BaseException) -> None:
        """Record the exception that the call raises."""

    def on_deleted(self) -> None:
        """Record that the session was deleted."""

    def on_stream(self, change: int) -> None:
        """Record that a streamed execution began (1), or that its last event arrived (-1)."""
