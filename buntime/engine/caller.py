"""One call: attempts until there is a response or an error, within the deadline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Callable, Optional, TypeVar

import attrs

from buntime._http import (
    CREDENTIALS,
    BufferedResponse,
    Pairs,
    Request,
    Response,
    SupportsDate,
    SupportsTime,
    Transport,
)
from buntime._support.log import debug_logger
from buntime.engine.adapter import DecodeError, ServiceAdapter, SharedState
from buntime.engine.hooks import CallHooks
from buntime.engine.limits import (
    MAX_OUTPUT,
    AttemptLimits,
    Clock,
    Deadline,
    SharedDeadline,
    SystemTime,
    read_all,
    read_beginning,
)
from buntime.engine.retries import RetryPolicy
from buntime.errors import (
    APIError,
    APITimeoutError,
    BuntimeError,
    InvalidResponseError,
    NotFoundError,
    RateLimitError,
)

_LARGEST_ERROR = 1024 * 1024
"""Bytes that are read of the body of an error status."""

T = TypeVar("T")
OnRetry = Callable[[BuntimeError, int], object]


@attrs.define(eq=False)
class Caller:
    """Makes calls over one transport: adds credentials, retries, applies the deadline, redacts errors."""

    transport: Transport
    service: ServiceAdapter
    headers: Pairs
    """Sent with every request; they replace the request's own headers of the same name."""
    timeout: Optional[float]
    deadline: Optional[float]
    policy: RetryPolicy
    on_retry: Optional[OnRetry] = None
    hooks: Optional[CallHooks] = None
    find_credentials: Optional[Callable[[], Pairs]] = None
    """Called by the first call; returns headers that were not known when the caller was made, or raises."""
    max_output: Optional[int] = MAX_OUTPUT
    """Bytes of each output stream that a result has at most, unless the call sets its own bound."""
    shared: SharedState = attrs.field(factory=SharedState)
    _clock: Clock = attrs.field(init=False)
    _header_names: frozenset[str] = attrs.field(init=False)
    _shared_deadline: SharedDeadline = attrs.field(init=False, factory=SharedDeadline)

    def __attrs_post_init__(self) -> None:
        self._clock = self.transport if isinstance(self.transport, SupportsTime) else SystemTime()
        self._header_names = frozenset(name.lower() for name, _ in self.headers)

    def monotonic(self) -> float:
        """Return seconds on the clock that the client measures by."""
        return self._clock.monotonic()

    def time(self) -> float:
        """Return seconds since the epoch: the transport's, if it owns the date."""
        return self.transport.time() if isinstance(self.transport, SupportsDate) else time.time()

    def sleep(self, seconds: float) -> None:
        """Wait on the clock that the client measures by; hooks may end the wait."""
        (self.hooks or self._clock).sleep(seconds)

    def evolve(self, **changes: Any) -> Caller:
        """Return a caller with other settings over the same transport, by default without hooks."""
        return attrs.evolve(self, **{"hooks": None, **changes})

    def for_background(self, *, deadline: float) -> Caller:
        """Return a copy for background calls: its own deadline, no ``on_retry``."""
        return self.evolve(deadline=deadline, on_retry=None)

    def without_retries(self) -> Caller:
        """Return a copy that makes each call once, within the deadline that :meth:`one_deadline` began."""
        caller = self.evolve(policy=attrs.evolve(self.policy, max_retries=0))
        caller._shared_deadline = self._shared_deadline
        return caller

    def for_cleanup(self, seconds: float) -> Caller:
        """Return a copy that makes each call once, within ``seconds``."""
        policy = attrs.evolve(self.policy, max_retries=0)
        return self.evolve(deadline=seconds, policy=policy, on_retry=None, hooks=self.hooks)

    @contextmanager
    def one_deadline(self) -> Iterator[None]:
        """Let all requests of this thread in the block share one deadline, because they are one call."""
        outer = self._shared_deadline.deadline
        self._shared_deadline.deadline = outer or self._deadline_from(self._clock.monotonic())
        try:
            yield
        finally:
            self._shared_deadline.deadline = outer

    def remaining(self) -> float | None:
        """Return the seconds of the deadline that :meth:`one_deadline` began; ``None`` for no end."""
        deadline = self._shared_deadline.deadline
        return None if deadline is None else deadline.remaining()

    def _deadline_from(self, started: float) -> Deadline:
        return Deadline(None if self.deadline is None else started + self.deadline, self._clock)

    def call(
        self,
        request: Request,
        decode: Callable[[BufferedResponse], T],
        *,
        idempotent: bool,
        read_timeout: Optional[float] = None,
        is_read: Optional[bool] = None,
        decode_error: Optional[DecodeError] = None,
    ) -> T:
        """Send the request, with retries, and return the decoded response.

        The ``read_timeout`` of an execution limits each wait, and all of them together. ``is_read``: the
        call changes nothing, by default of GET and HEAD; ``decode_error`` replaces the service's.
        """

        def attempt(sent: Request, limits: AttemptLimits, _number: int) -> T:
            with self._open(sent, limits, decode_error) as response:
                try:
                    body = read_all(limits.buffered(response), response.max_bytes)
                    return decode(BufferedResponse(response.status, response.headers, body))
                except InvalidResponseError as error:
                    error.headers = response.headers.without(CREDENTIALS)
                    response.discard()
                    raise

        return self._attempts(
            request, attempt, idempotent=idempotent, read_timeout=read_timeout, is_read=is_read
        )

    def delete(self, request: Request, decode: Callable[[BufferedResponse], None]) -> None:
        """Send a DELETE. A 404 after an attempt that may have been carried out means that it was."""
        try:
            self.call(request, decode, idempotent=True)
        except NotFoundError as error:
            if not error.maybe_executed:
                raise
        if self.hooks is not None:
            self.hooks.on_deleted()

    def stream(
        self,
        request: Request,
        *,
        idempotent: bool,
        read_timeout: Optional[float],
        decode_error: Optional[DecodeError] = None,
    ) -> tuple[Response, Iterator[bytes], int]:
        """Return a 2xx response, its body bounded by the limits, and the number of attempts.

        An ``idempotent`` call waits for the first bytes; until then it is retried.
        """

        def attempt(
            sent: Request, limits: AttemptLimits, number: int
        ) -> tuple[Response, Iterator[bytes], int]:
            response = self._open(sent, limits, decode_error)
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

    def _open(
        self, request: Request, limits: AttemptLimits, decode_error: Optional[DecodeError] = None
    ) -> Response:
        """Return a 2xx response; raise the error of any other.

        The body of an error may echo a credential: it is in no variable of the frame that raises.
        """
        send: Callable[[Request], Response] = self.transport.send
        log = debug_logger()
        if log is not None:
            from buntime.engine.logs import send_logged

            send = partial(send_logged, log, send, self.monotonic, self.service.request_id, self.headers)
        response = limits.wait(send, request)
        if self.service.has_rate_limit(response.headers):
            self.shared.rate_limit_headers = response.headers
        if 200 <= response.status < 300:
            return response
        with response:
            raise _error_of(request, response, limits, decode_error or self.service.decode_error)

    def _attempts(
        self,
        request: Request,
        attempt: Callable[[Request, AttemptLimits, int], T],
        *,
        idempotent: bool,
        read_timeout: float | None,
        is_read: Optional[bool] = None,
    ) -> T:
        is_read = request.method in {"GET", "HEAD"} if is_read is None else is_read
        hooks = self.hooks
        # A transport's own clock may be moved while an execution runs; that is not a wait.
        total = read_timeout if isinstance(self._clock, SystemTime) else None
        # ``number`` counts the attempts under this deadline, ``attempts`` those of the whole call.
        number = attempts = refusals = 0
        # If one attempt may have executed, so may the call, whatever the later ones return.
        maybe_executed = False
        if (find_credentials := self.find_credentials) is not None:
            self._add_credentials(find_credentials())
        try:
            started, deadline = self._begin()
            began = started
            while True:
                number += 1
                attempts += 1
                try:
                    if deadline.passed():
                        raise APITimeoutError("the deadline passed", phase="connect")
                    complete = self._complete(request, deadline, read_timeout)
                    return attempt(complete, AttemptLimits(deadline, total), attempts)
                except BuntimeError as error:
                    maybe_executed = not is_read and (error.maybe_executed or maybe_executed)
                    error.maybe_executed = maybe_executed
                    error.call, error.attempts = f"{request.method} {request.path}", attempts
                    self.redact(error)
                    if hooks is None or not isinstance(error, RateLimitError):
                        self.back_off(error, number, idempotent=idempotent, remaining=deadline.remaining())
                        continue
                    refusals += 1
                    hooks.on_rate_limit(error, started, refusals, started - began)
                    if self.on_retry is not None:
                        self.on_retry(error, refusals)
                # A wait at the rate limit is neither a retry nor part of the deadline.
                number = 0
                started, deadline = self._begin()
        except BaseException as error:
            if hooks is not None:
                hooks.on_error(error)
            raise

    def _add_credentials(self, credentials: Pairs) -> None:
        # Two threads may do so at the same time: the result is the same.
        names = frozenset(name.lower() for name, _ in credentials)
        self.headers = (*credentials, *(pair for pair in self.headers if pair[0].lower() not in names))
        self._header_names |= names
        self.find_credentials = None

    def _begin(self) -> tuple[float, Deadline]:
        """Return when the call begins, which hooks may delay, and its deadline."""
        arrived = self._clock.monotonic()
        started = arrived if self.hooks is None else self.hooks.before_call()
        deadline = self._shared_deadline.deadline
        if deadline is None:
            deadline = self._deadline_from(started)
        elif deadline.at is not None:
            # An earlier request began it. A wait at the rate limit does not count.
            deadline.at += started - arrived
        return started, deadline

    def _complete(self, request: Request, deadline: Deadline, read_timeout: float | None) -> Request:
        """Return a request with the client's headers and with timeouts."""
        headers = request.headers
        if request.origin is None:  # another origin gets no header of the client
            others = [pair for pair in headers if pair[0].lower() not in self._header_names]
            headers = (*others, *self.headers)
        return Request(
            request.method,
            request.path,
            request.query,
            headers,
            request.body,
            connect_timeout=deadline.bound(self.timeout),
            read_timeout=deadline.bound(self.timeout if read_timeout is None else read_timeout),
            total_timeout=read_timeout,
            deadline=deadline.remaining(),
            origin=request.origin,
            poll=request.poll,
        )

    def redact(self, error: BuntimeError) -> None:
        """Remove the client's credentials from an error."""
        from buntime.engine.redact import redact, secrets_of

        redact(error, secrets_of(self.headers))

    def back_off(
        self, error: BuntimeError, number: int, *, idempotent: bool, remaining: Optional[float] = None
    ) -> None:
        """Wait before the next attempt, or raise the error if there is none within the ``remaining`` time."""
        import random  # on first use: it is slow to import, and most calls succeed

        from buntime.engine.logs import log_retry

        fraction = random.random()  # noqa: S311 - jitter
        pause = self.policy.pause_or_raise(error, number, idempotent, fraction, remaining)
        if self.on_retry is not None:
            self.on_retry(error, number)
        log_retry(error, pause, number + 1, self.policy.max_retries + 1)
        self.sleep(pause)


def _error_of(
    request: Request, response: Response, limits: AttemptLimits, decode: DecodeError
) -> BuntimeError:
    body = read_beginning(limits.buffered(response), _LARGEST_ERROR)
    error = decode(request, BufferedResponse(response.status, response.headers, body))
    if isinstance(error, APIError):
        error.headers = response.headers.without(CREDENTIALS)
    if isinstance(error, InvalidResponseError):
        response.discard()
    return error


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
