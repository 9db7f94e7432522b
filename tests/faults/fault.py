"""What a fault is: how the server ends a response, and what a caller then sees."""

from __future__ import annotations

from typing import Callable, Literal, Optional

import attrs

from buntime import (
    APIConnectionError,
    APITimeoutError,
    BuntimeError,
    InvalidResponseError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)
from tests.faults.service import Answer
from tests.support.loopback import Exchange

Perform = Callable[[], Answer]
Act = Callable[[Exchange, Perform], None]


@attrs.frozen
class Outcome:
    """What a caller sees: the result of the call, or this error unless a retry succeeds."""

    retried: Literal["every call", "repeatable calls", "no call"]
    error: Optional[type[BuntimeError]]

    def expected(self, *, repeatable: bool, persistent: bool) -> Optional[type[BuntimeError]]:
        """Return the class of the error, or ``None`` for the call's own result."""
        retried = self.retried == "every call" or (self.retried == "repeatable calls" and repeatable)
        return None if retried and not persistent else self.error


RESULT = Outcome("no call", None)
NOT_SENT = Outcome("every call", APIConnectionError)
LOST = Outcome("repeatable calls", APIConnectionError)
LATE = Outcome("no call", APITimeoutError)
INVALID = Outcome("no call", InvalidResponseError)
RATE_LIMITED = Outcome("every call", RateLimitError)
UNAVAILABLE = Outcome("every call", ServerError)
FAILED = Outcome("repeatable calls", ServerError)
TIMED_OUT_THERE = Outcome("repeatable calls", RequestTimeoutError)


@attrs.frozen
class Fault:
    """One row of the table. ``streamed`` is the outcome of a streamed response, if it is another one."""

    stage: str
    name: str
    act: Act
    outcome: Outcome
    streamed: Optional[Outcome] = None
    moment: Literal["listen", "accept", "request"] = "request"
    only_streams: bool = False
    accepted_by: tuple[str, ...] = ()
    """Calls for which this is a valid response."""

    @property
    def waits(self) -> bool:
        """Whether the call lasts until its deadline."""
        return self.outcome is LATE

    def outcome_of(self, *, streamed: bool) -> Outcome:
        """Return the outcome of a call."""
        return self.streamed if streamed and self.streamed is not None else self.outcome

    def __str__(self) -> str:
        return f"{self.stage}: {self.name}"


def close(exchange: Exchange) -> None:
    """Close the connection."""
    exchange.drop()


def reset(exchange: Exchange) -> None:
    """Reset the connection."""
    exchange.reset()


def half_close(exchange: Exchange) -> None:
    """End the server's side of the connection."""
    exchange.half_close()


def fall_silent(exchange: Exchange) -> None:
    """Keep the connection open and send nothing."""
    exchange.hold()


ENDINGS: dict[str, tuple[Callable[[Exchange], None], Outcome]] = {
    "closes the connection": (close, LOST),
    "resets the connection": (reset, LOST),
    "ends its side of the connection": (half_close, LOST),
    "falls silent": (fall_silent, LATE),
}


def sends(make: Callable[[Answer], bytes], end: Optional[Callable[[Exchange], None]] = None) -> Act:
    """Return an act that sends ``make(answer)``, and then ends the connection with ``end``."""

    def act(exchange: Exchange, perform: Perform) -> None:
        exchange.send(make(perform()))
        if end is not None:
            end(exchange)

    return act
