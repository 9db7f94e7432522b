"""One call: attempts until there is a response or an error, within the deadline."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Callable, Optional, TypeVar

import attrs

from buntime._http import CREDENTIALS, BufferedResponse, Request, Response
from buntime._support.log import debug_logger
from buntime.engine.adapter import DecodeError
from buntime.engine.limits import AttemptLimits, SystemTime, read_all, read_beginning
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
            # Once output was passed on, a second attempt would repeat it: so only the beginning is retried.
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
        is_read = request.method in {"GET", "HEAD"} if is_read is None else is_read
        hooks = self.hooks
        # A transport's own clock may be moved while an execution runs; that is not a wait.
        total = read_timeout if isinstance(self._clock, SystemTime) else None
        # ``number`` counts the attempts under this deadline, ``attempts`` those of the whole call.
        number = attempts = refusals = 0
        # If one attempt may have executed, so may the call, whatever the later ones return.
        maybe_executed = False
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
                    self.annotate(error, request, attempts, maybe_executed)
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
