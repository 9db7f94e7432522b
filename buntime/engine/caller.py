"""One call: attempts until there is a response or an error, within the deadline."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Callable, Optional, TypeVar

import attrs

from buntime._http import CREDENTIALS, BufferedResponse, Request, Response, secret_values
from buntime._support.log import debug_logger
from buntime.engine.adapter import DecodeError
from buntime.engine.hooks import CallHooks
from buntime.engine.limits import AttemptLimits, Deadline, SystemTime, read_all, read_beginning
from buntime.engine.settings import CallSettings
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


@attrs.define(eq=False)
class Caller(CallSettings):
    """Makes calls over one transport: adds credentials, retries, applies the deadline, redacts errors."""

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
        read_timeout: Optional[float] = None,
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
            # Once output was passed on, a second attempt would repeat it: so only the beginning is retried.
            if not idempotent:
                return response, chunks, number
            try:
                first = next(chunks, b"")
            except BaseException:
                response.close()
                raise
            return response, chain((first,), chunks), number

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
        response = send(request)
        if response.headers.has_any(self.service.rate_limit_headers):
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
        """Return the result of the first attempt that succeeds, or raise the error of the last one."""
        # A transport's own clock may be moved while an execution runs; that is not a wait.
        total = read_timeout if isinstance(self._clock, SystemTime) else None
        try:
            start, deadline = self._begin()
            failures: Optional[_Failures] = None  # made by the first: it takes time, and most calls have none
            while True:
                try:
                    if deadline.passed():
                        raise APITimeoutError("the deadline passed", phase="connect")
                    complete = self._complete(request, deadline, read_timeout)
                    number = 1 if failures is None else failures.count + 1
                    return attempt(complete, AttemptLimits(deadline, total), number)
                except BuntimeError as error:
                    failures = failures or _Failures(self, request, idempotent, is_read, start, deadline)
                    deadline = failures.wait_or_raise(error)
        except BaseException as error:
            if self.hooks is not None:
                self.hooks.on_error(error)
            raise

    def _begin(self) -> tuple[float, Deadline]:
        """Return when the call begins, which hooks may delay, and its deadline."""
        if (find_credentials := self.find_credentials) is not None:
            self._add_credentials(find_credentials())
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
        remaining = deadline.remaining()
        connect_timeout = shorter(self.timeout, remaining)
        own_timeout = self.timeout if read_timeout is None else read_timeout
        return Request(  # without names, as those take 1.7 times as long
            request.method,
            request.path,
            request.query,
            headers,
            request.body,
            connect_timeout,
            shorter(own_timeout, remaining),
            read_timeout,
            remaining,
            request.origin,
            request.poll,
        )

    def annotate(self, error: BuntimeError, request: Request, attempts: int, maybe_executed: bool) -> None:
        """Add to an error what is known of its call, and remove the client's credentials."""
        error.call, error.attempts = f"{request.method} {request.path}", attempts
        error.maybe_executed = maybe_executed
        self.redact(error)

    def redact(self, error: BuntimeError) -> None:
        """Remove the client's credentials from an error."""
        from buntime.engine.redact import redact

        redact(error, secret_values(self.headers))

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


class _Failures:
    """The failed attempts of a call. After each, the call waits for the next one or raises the error."""

    def __init__(
        self,
        caller: Caller,
        request: Request,
        idempotent: bool,
        is_read: Optional[bool],
        start: float,
        deadline: Deadline,
    ) -> None:
        self.count = 0
        self._caller = caller
        self._request = request
        self._idempotent = idempotent
        self._is_read = is_read
        self._first_start = self._start = start
        self._deadline = deadline
        self._retries = self._rate_limits = 0
        self._maybe_executed = False

    def wait_or_raise(self, error: BuntimeError) -> Deadline:
        """Wait for the next attempt and return its deadline, or raise the error."""
        caller, hooks = self._caller, self._caller.hooks
        is_read = self._request.method in {"GET", "HEAD"} if self._is_read is None else self._is_read
        self.count += 1
        # If one attempt may have executed, so may the call, whatever the later ones return.
        self._maybe_executed = not is_read and (error.maybe_executed or self._maybe_executed)
        caller.annotate(error, self._request, self.count, self._maybe_executed)
        if hooks is not None and isinstance(error, RateLimitError):
            self._wait_at_limit(hooks, error)
        else:
            self._retries += 1
            remaining = self._deadline.remaining()
            caller.back_off(error, self._retries, idempotent=self._idempotent, remaining=remaining)
        return self._deadline

    def _wait_at_limit(self, hooks: CallHooks, error: RateLimitError) -> None:
        """Wait as the hooks decide: this is neither a retry nor part of the deadline."""
        self._rate_limits += 1
        hooks.on_rate_limit(error, self._start, self._rate_limits, self._start - self._first_start)
        if self._caller.on_retry is not None:
            self._caller.on_retry(error, self._rate_limits)
        self._retries = 0
        self._start, self._deadline = self._caller._begin()


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


def shorter(timeout: float | None, remaining: float | None) -> float | None:
    """Return the shorter of two times, of which ``None`` is an unlimited one."""
    if timeout is None or remaining is None:
        return remaining if timeout is None else timeout
    return min(timeout, remaining)
