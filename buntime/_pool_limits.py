"""Calls of a pool: at the service's limits they wait, all of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable, Optional, TypeVar

import attrs

from buntime._http import Request, Response, SupportsTime
from buntime.engine.caller import Caller
from buntime.engine.retries import LONGEST_DELAY, RetryPolicy
from buntime.errors import BuntimeError, RateLimitError
from buntime.pickling import portable
from buntime.wire.buffered import BufferedResponse
from buntime.wire.error_responses import is_session_limit

T = TypeVar("T")

CLOSED = "the pool is closed"

SLICE = 1.0
"""Seconds of one wait. A Ctrl-C just before a wait, and any on Windows, is noticed after it only."""

LONGEST_WAIT = 24 * 3600.0
_SHORTEST_DELAY = 1.0


class Clock:
    """The time that a client measures by, and waits on it that can be ended."""

    def __init__(self, caller: Caller) -> None:
        transport = caller.transport
        self._transport = transport if isinstance(transport, SupportsTime) else None
        self._turn = threading.Lock()
        self.now = caller.monotonic
        self.date = caller.time

    @property
    def passes(self) -> bool:
        """Whether time passes by itself; else the transport moves it."""
        return self._transport is None

    def until(self, moment: float, stopping: threading.Event) -> None:
        """Wait for a moment; ``RuntimeError`` as soon as ``stopping`` is set."""
        if self._transport is None:
            while not stopping.is_set() and self.now() < moment:
                stopping.wait(min(moment - self.now(), SLICE))
        else:
            # One sleeps for all: each that sleeps moves the clock on.
            with self._turn:
                left = moment - self.now()
                if left > 0:
                    self._transport.sleep(left)
        if stopping.is_set():
            raise RuntimeError(CLOSED)


class Gate:
    """Closed for as long as the service asks to be left alone: one for all calls of a pool."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._opens = float("-inf")

    def pass_through(self, stopping: threading.Event) -> float:
        """Wait until it is open, and return when that was; ``RuntimeError`` once ``stopping`` is set."""
        if self._opens > self._clock.now():
            self._clock.until(self._opens, stopping)
        return self._clock.now()

    def close(self, since: float, seconds: float) -> None:
        """Let nobody pass for so many seconds, a day at most."""
        with self._lock:
            self._opens = max(self._opens, since + min(seconds, LONGEST_WAIT))


@attrs.frozen
class _LimitsAside(RetryPolicy):
    """As the client's, but for the rate limit, at which the gate waits."""

    @staticmethod
    def idempotent(error: BuntimeError, idempotent: bool) -> bool:
        """Whether sending the call again is safe and can help."""
        return not isinstance(error, RateLimitError) and RetryPolicy.idempotent(error, idempotent)


@attrs.define
class _Pauses:
    """The time of an exchange, whose pauses between attempts can be ended."""

    clock: Clock
    stopping: threading.Event = attrs.field(factory=threading.Event)

    def monotonic(self) -> float:
        return self.clock.now()

    def time(self) -> float:
        return self.clock.date()

    def sleep(self, seconds: float, /) -> None:
        self.clock.until(self.clock.now() + seconds, self.stopping)


class PoolExchange(Caller):
    """Makes a client's calls on a pool's clock, with a policy of their own."""

    def __init__(self, own: Caller, clock: Clock, policy: RetryPolicy) -> None:
        super().__init__(
            own.transport,
            headers=own.headers,
            timeout=own.timeout,
            deadline=own.deadline,
            policy=policy,
            on_retry=own.on_retry,
            seen=own.seen,
        )
        self._own = own
        self._clock = self._pauses = _Pauses(clock)

    def __reduce__(self) -> tuple[Any, ...]:
        # The pool stays behind: in another process it is the client's exchange.
        return _restored, (portable(self._own),)


def _restored(state: dict[str, Any]) -> Caller:
    caller = Caller.__new__(Caller)
    caller.__setstate__(state)
    return caller


class LimitedExchange(PoolExchange):
    """Makes calls that wait at the rate limit, for as often as it takes."""

    def __init__(self, own: Caller, clock: Clock, gate: Gate) -> None:
        super().__init__(own, clock, _LimitsAside(own.policy.max_retries, own.policy.retry_delay))
        self._gate = gate

    def call(
        self,
        request: Request,
        decode: Callable[[BufferedResponse], T],
        *,
        idempotent: bool,
        read_timeout: Optional[float] = None,
    ) -> T:
        """As :meth:`Exchange.call`."""
        made = super().call
        return self._made(lambda _: made(request, decode, idempotent=idempotent, read_timeout=read_timeout))

    def stream(
        self, request: Request, *, idempotent: bool, read_timeout: float | None
    ) -> tuple[Response, Iterator[bytes], int]:
        """As :meth:`Exchange.stream`."""
        made = super().stream

        def call(before: int) -> tuple[Response, Iterator[bytes], int]:
            response, chunks, attempts = made(request, idempotent=idempotent, read_timeout=read_timeout)
            return response, chunks, before + attempts

        return self._made(call)

    def _made(self, call: Callable[[int], T]) -> T:
        """Make a call, which is passed how many attempts were made before."""
        refusals, attempts, maybe_executed = 0, 0, False
        while True:
            began = self._gate.pass_through(self._pauses.stopping)
            try:
                return call(attempts)
            except BuntimeError as error:
                attempts = error.attempts = attempts + error.attempts
                maybe_executed = error.maybe_executed = maybe_executed or error.maybe_executed
                if not isinstance(error, RateLimitError) or is_session_limit(error):
                    raise
                refusals += 1
                self._gate.close(began, error.retry_after or self._delay(refusals))
                if self.on_retry is not None:
                    self.on_retry(error, refusals)

    def _delay(self, refusals: int) -> float:
        """Return the seconds to wait where the service does not say."""
        shortest = max(_SHORTEST_DELAY, self.policy.retry_delay)
        return min(LONGEST_DELAY, shortest * 2.0 ** min(refusals - 1, 64))
