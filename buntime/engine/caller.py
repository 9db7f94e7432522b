"""One call: attempts until there is an answer or an error, within the deadline."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable, Optional, TypeVar, Union

import attrs

from buntime._http import Headers, Pairs, Request, Response, SupportsTime, Transport
from buntime.engine.hooks import CallHooks
from buntime.engine.retries import LONGEST_RETRY_AFTER, RetryPolicy
from buntime.errors import APITimeoutError, BuntimeError, InvalidResponseError, NotFoundError, RateLimitError
from buntime.wire.buffered import BufferedResponse, tells_rate_limit

_LARGEST_ERROR = 1024 * 1024
"""Bytes that are read of the body of an error status."""

T = TypeVar("T")
OnRetry = Callable[[BuntimeError, int], object]


class _SystemTime:
    """Time where the transport owns none."""

    sleep = staticmethod(time.sleep)
    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)


@attrs.define
class SharedState:
    """What the answers so far have told; shared by a client and those made of it by ``with_options``."""

    headers: Headers = attrs.field(factory=Headers)
    """Of the last answer that told a rate limit."""
    reads_files: bool = True
    """Whether the service has the route ``GET /files/read``, as far as is known."""


@attrs.define
class Deadline:
    """The end of a call on a clock's monotonic time, or never."""

    at: Optional[float]
    clock: Union[SupportsTime, _SystemTime]

    def remaining(self) -> float | None:
        """Return the seconds left, ``None`` for no end."""
        return None if self.at is None else self.at - self.clock.monotonic()

    def bound(self, timeout: float | None) -> float | None:
        """Return ``timeout`` cut to the time that remains."""
        remaining = self.remaining()
        if remaining is None:
            return timeout
        return remaining if timeout is None else min(timeout, remaining)

    def passed(self) -> bool:
        """Whether no time remains."""
        return self.at is not None and self.at <= self.clock.monotonic()


class _SharedDeadline(threading.local):
    deadline: Optional[Deadline] = None


@attrs.define
class _Limits:
    """Bounds one attempt, whatever trickles meanwhile. A transport that can does so for each operation.

    ``total`` are the seconds that an execution may be waited for in all.
    """

    deadline: Deadline
    total: Optional[float]
    waited: float = 0.0

    def wait(self, step: Callable[..., T], *args: Any) -> T:
        """Call ``step``, and count the time that it takes."""
        started = self.deadline.clock.monotonic()
        try:
            return step(*args)
        finally:
            self.waited += self.deadline.clock.monotonic() - started

    def exceeded(self) -> APITimeoutError | None:
        """Return the error for a limit that is exceeded, or ``None``."""
        if self.deadline.passed():
            return APITimeoutError("the deadline passed", phase="read")
        if self.total is not None and self.waited >= self.total:
            return APITimeoutError(f"the execution did not end within {self.total:g} s", phase="read")
        return None

    def stream(self, response: Response) -> Iterator[bytes]:
        """Yield the pieces of a body. The time that their reader takes is no wait."""
        while (error := self.exceeded()) is None:
            chunk = self.wait(next, response.chunks, None)
            if chunk is None:
                return
            yield chunk
        raise error

    def buffered(self, response: Response) -> Iterator[bytes]:
        """Yield the same of a body that is read whole: its last piece also if a limit is exceeded by then."""
        error: APITimeoutError | None = None
        while (chunk := self.wait(next, response.chunks, None)) is not None:
            if error is not None:
                raise error
            yield chunk
            error = self.exceeded()


def read_whole(chunks: Iterator[bytes], most: int | None) -> bytes:
    """Return a body; :class:`~buntime.InvalidResponseError` if it is larger than ``most`` bytes."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if most is not None and size > most:
            error = InvalidResponseError(
                f"the response has more than {most:,} bytes, the most that are read into memory"
            )
            error.hint = "Ask for less at once, or raise max_response_bytes= of the HTTPTransport"
            raise error
        pieces.append(chunk)
    return b"".join(pieces)


def _read_beginning(chunks: Iterator[bytes], most: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size >= most:
            break
    return b"".join(pieces)[:most]


class Caller:
    """Makes calls over one transport: credentials, retries, deadline, rate limit."""

    def __init__(
        self,
        transport: Transport,
        *,
        headers: Pairs,
        timeout: float | None,
        deadline: float | None,
        policy: RetryPolicy,
        on_retry: OnRetry | None,
        seen: SharedState,
        hooks: CallHooks | None = None,
    ) -> None:
        self.transport = transport
        self.headers = headers
        self._names = {name.lower() for name, _ in headers}
        self.timeout = timeout
        self.deadline = deadline
        self.policy = policy
        self.on_retry = on_retry
        self.seen = seen
        self.hooks = hooks
        self._shared_deadline = _SharedDeadline()
        self._clock: Union[SupportsTime, _SystemTime] = (
            transport if isinstance(transport, SupportsTime) else _SystemTime()
        )

    def monotonic(self) -> float:
        """Return seconds on the clock that the client measures by."""
        return self._clock.monotonic()

    def time(self) -> float:
        """Return seconds since the epoch: the transport's, where it owns time and tells it."""
        read: Callable[[], float] = getattr(self._clock, "time", time.time)
        return read()

    def evolve(self, **changes: Any) -> Caller:
        """Return a caller with other settings over the same transport, without hooks by default."""
        settings: dict[str, Any] = {
            "headers": self.headers,
            "timeout": self.timeout,
            "deadline": self.deadline,
            "policy": self.policy,
            "on_retry": self.on_retry,
            "seen": self.seen,
        }
        return Caller(self.transport, **{**settings, **changes})

    def for_background(self, *, deadline: float) -> Caller:
        """Return a copy for background calls: its own deadline, no ``on_retry``."""
        return self.evolve(deadline=deadline, on_retry=None)

    def __getstate__(self) -> dict[str, Any]:
        from buntime.pickling import portable

        return portable(self)

    def __setstate__(self, state: dict[str, Any]) -> None:
        from buntime.pickling import restored

        self.__init__(**restored(state), seen=SharedState())  # type: ignore[misc]  # they are all of its arguments

    def _deadline_from(self, started: float) -> Deadline:
        return Deadline(None if self.deadline is None else started + self.deadline, self._clock)

    @contextmanager
    def one_deadline(self) -> Iterator[None]:
        """Have all requests that this thread makes in the block share one deadline, as they are one call."""
        outer = self._shared_deadline.deadline
        self._shared_deadline.deadline = outer or self._deadline_from(self._clock.monotonic())
        try:
            yield
        finally:
            self._shared_deadline.deadline = outer

    def execution_wait(self, limit: float) -> float | None:
        """Return how long an execution that may take ``limit`` seconds is waited for, in all."""
        return None if self.timeout is None else limit + self.timeout

    def call(
        self,
        request: Request,
        decode: Callable[[BufferedResponse], T],
        *,
        idempotent: bool,
        read_timeout: Optional[float] = None,
    ) -> T:
        """Send the request until it is answered, and return the decoded answer.

        ``read_timeout``, of an execution, limits each wait and all of them together.
        """

        def attempt(sent: Request, limits: _Limits, _number: int) -> T:
            with self._open(sent, limits) as response:
                try:
                    body = read_whole(limits.buffered(response), response.max_bytes)
                    return decode(BufferedResponse(response.status, response.headers, body))
                except InvalidResponseError:
                    response.discard()
                    raise

        return self._attempts(request, attempt, idempotent=idempotent, read_timeout=read_timeout)

    def delete(self, request: Request, decode: Callable[[BufferedResponse], None]) -> None:
        """Send a DELETE; a 404 that answers a retry says that an earlier attempt did it."""
        try:
            self.call(request, decode, idempotent=True)
        except NotFoundError as error:
            if error.attempts < 2:
                raise
        if self.hooks is not None:
            self.hooks.on_deleted()

    def stream(
        self, request: Request, *, idempotent: bool, read_timeout: float | None
    ) -> tuple[Response, Iterator[bytes], int]:
        """Return a 2xx response, its body bounded by the deadline, and the number of attempts it took.

        An ``idempotent`` call waits for the first bytes, up to which it is retried.
        """

        def attempt(sent: Request, limits: _Limits, number: int) -> tuple[Response, Iterator[bytes], int]:
            response = self._open(sent, limits)
            chunks = limits.stream(response)
            if not idempotent:
                return response, chunks, number
            try:
                first = next(chunks, b"")
            except BaseException:
                response.close()
                raise
            return response, _chain(first, chunks), number

        opened = self._attempts(request, attempt, idempotent=idempotent, read_timeout=read_timeout)
        if self.hooks is not None:
            self.hooks.on_stream(1)
        return opened

    def on_stream_complete(self) -> None:
        """Report that a streamed execution has ended."""
        if self.hooks is not None:
            self.hooks.on_stream(-1)

    def _open(self, request: Request, limits: _Limits) -> Response:
        """Return a 2xx response; raise the error that any other is."""
        started = limits.deadline.clock.monotonic()
        try:
            response = self.transport.send(request)
        finally:
            limits.waited += limits.deadline.clock.monotonic() - started
        if tells_rate_limit(response.headers):
            self.seen.headers = response.headers
        if 200 <= response.status < 300:
            return response
        from buntime.wire.error_responses import refused

        with response:
            body = _read_beginning(limits.buffered(response), _LARGEST_ERROR)
            error = refused(request, BufferedResponse(response.status, response.headers, body))
            if isinstance(error, InvalidResponseError):
                response.discard()
            raise error

    def _attempts(
        self,
        request: Request,
        attempt: Callable[[Request, _Limits, int], T],
        *,
        idempotent: bool,
        read_timeout: float | None,
    ) -> T:
        hooks = self.hooks
        # ``number`` counts the attempts under this deadline, ``attempts`` those of the whole call.
        number = attempts = refusals = 0
        maybe_executed = False
        try:
            started, deadline = self._begin()
            while True:
                number += 1
                attempts += 1
                try:
                    if deadline.passed():
                        raise APITimeoutError("the deadline passed", phase="connect")
                    completed = self._completed(request, deadline, read_timeout)
                    return attempt(completed, _Limits(deadline, read_timeout), attempts)
                except BuntimeError as error:
                    error.maybe_executed = maybe_executed = error.maybe_executed or maybe_executed
                    _annotate(error, request, attempts)
                    self.redact(error)
                    if hooks is None or not isinstance(error, RateLimitError):
                        self._back_off(error, number, deadline, idempotent)
                        continue
                    refusals += 1
                    hooks.on_rate_limit(error, started, refusals)
                    if self.on_retry is not None:
                        self.on_retry(error, refusals)
                # A wait at the rate limit is neither a retry nor part of the deadline.
                number = 0
                started, deadline = self._begin()
        except BaseException as error:
            if hooks is not None:
                hooks.on_error(error)
            raise

    def _begin(self) -> tuple[float, Deadline]:
        """Return when the call begins, which hooks may delay, and its deadline."""
        arrived = self._clock.monotonic()
        started = arrived if self.hooks is None else self.hooks.before_call()
        deadline = self._shared_deadline.deadline
        if deadline is None:
            deadline = self._deadline_from(started)
        elif deadline.at is not None:
            # The requests before have begun it, but it does not count a wait at the rate limit.
            deadline.at += started - arrived
        return started, deadline

    def _completed(self, request: Request, deadline: Deadline, read_timeout: float | None) -> Request:
        """Return a request with the client's headers, which win, and its timeouts."""
        headers = [pair for pair in request.headers if pair[0].lower() not in self._names]
        return Request(
            request.method,
            request.path,
            request.query,
            (*headers, *self.headers),
            request.body,
            connect_timeout=deadline.bound(self.timeout),
            read_timeout=deadline.bound(self.timeout if read_timeout is None else read_timeout),
            total_timeout=read_timeout,
            deadline=deadline.remaining(),
        )

    def redact(self, error: BuntimeError) -> None:
        """Take the client's credentials out of an error."""
        from buntime.engine.redact import redact, secrets_of

        redact(error, secrets_of(self.headers))

    def _back_off(self, error: BuntimeError, number: int, deadline: Deadline, idempotent: bool) -> None:
        """Wait before the next attempt, or raise the error where there is to be none."""
        import random

        pause = self.policy.delay(error, number, idempotent, random.random())  # noqa: S311 - jitter spreads clients out, and is no secret
        remaining = deadline.remaining()
        if pause is None or (remaining is not None and pause >= remaining):
            if error.retry_after is not None and error.retry_after > LONGEST_RETRY_AFTER:
                error.hint = (
                    f"Try again in {error.retry_after:.0f} s, as the service asks; so long is not waited"
                )
            raise error
        if self.on_retry is not None:
            self.on_retry(error, number)
        (self.hooks or self._clock).sleep(pause)


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest


def _annotate(error: BuntimeError, request: Request, attempts: int) -> None:
    """Complete an error with the call it belongs to."""
    error.call = f"{request.method} {request.path}"
    error.attempts = attempts
    if request.method in {"GET", "HEAD"}:
        error.maybe_executed = False
