"""How long one call may take, and how much of its response is read into memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any, Callable, Optional, TypeVar, Union

import attrs

from buntime._http import Response, SupportsTime
from buntime.errors import APITimeoutError, InvalidResponseError

T = TypeVar("T")

MAX_OUTPUT = 10_000_000
"""Bytes of each output stream that a result has by default."""


class SystemTime:
    """The clock for transports without their own."""

    sleep: Callable[[float], None] = staticmethod(time.sleep)
    monotonic: Callable[[], float] = staticmethod(time.monotonic)
    time: Callable[[], float] = staticmethod(time.time)


Clock = Union[SupportsTime, SystemTime]


@attrs.define
class Deadline:
    """The end of a call on a clock's monotonic time; ``None`` for no end."""

    at: Optional[float]
    clock: Clock

    def remaining(self) -> float | None:
        """Return the remaining seconds; ``None`` for no end."""
        return None if self.at is None else self.at - self.clock.monotonic()

    def bound(self, timeout: float | None) -> float | None:
        """Return ``timeout`` or the remaining seconds, whichever is shorter."""
        if self.at is None:
            return timeout
        remaining = self.at - self.clock.monotonic()
        return remaining if timeout is None else min(timeout, remaining)

    def passed(self) -> bool:
        """Whether no time remains."""
        return self.at is not None and self.at <= self.clock.monotonic()


class SharedDeadline(threading.local):
    """The deadline that the requests of this thread share, if any."""

    deadline: Optional[Deadline] = None


_next_chunk: Callable[..., Optional[bytes]] = next


@attrs.define
class AttemptLimits:
    """Limits one attempt. A transport that can also limits each of its operations.

    ``total`` is the number of seconds to wait for an execution in all. Only waits for the service count, not
    the time that the reader of a stream takes.
    """

    deadline: Deadline
    total: Optional[float]
    waited: float = 0.0

    def wait(self, step: Callable[..., T], *args: Any) -> T:
        """Call ``step``, and count the time that it takes if there is a limit for it."""
        if self.total is None:
            return step(*args)
        now = self.deadline.clock.monotonic
        started = now()
        try:
            return step(*args)
        finally:
            self.waited += now() - started

    def exceeded(self) -> APITimeoutError | None:
        """Return the error for a limit that is exceeded, or ``None``."""
        if self.deadline.passed():
            return APITimeoutError("the deadline passed", phase="read")
        if self.total is not None and self.waited >= self.total:
            return APITimeoutError(f"the execution did not end within {self.total:g} s", phase="read")
        return None

    def stream(self, response: Response) -> Iterator[bytes]:
        """Yield the pieces of a body until a limit is exceeded."""
        while (error := self.exceeded()) is None:
            chunk = self.wait(_next_chunk, response.chunks, None)
            if chunk is None:
                return
            yield chunk
        raise error

    def buffered(self, response: Response) -> Iterator[bytes]:
        """Like :meth:`stream`, but a body that is complete by then is not lost to a limit."""
        error: APITimeoutError | None = None
        while (chunk := self.wait(_next_chunk, response.chunks, None)) is not None:
            if error is not None:
                raise error
            yield chunk
            error = self.exceeded()


def read_all(chunks: Iterator[bytes], most: int | None) -> bytes:
    """Return a body; :class:`~buntime.InvalidResponseError` if it is larger than ``most`` bytes."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if most is not None and size > most:
            error = InvalidResponseError(
                f"the response has more than {most:,} bytes, the most that are read into memory"
            )
            error.hint = "Request less per call, or raise max_response_bytes= of the HTTPTransport"
            raise error
        pieces.append(chunk)
    return b"".join(pieces)


def read_beginning(chunks: Iterator[bytes], most: int) -> bytes:
    """Return the first ``most`` bytes of a body."""
    pieces: list[bytes] = []
    size = 0
    for chunk in chunks:
        pieces.append(chunk)
        size += len(chunk)
        if size >= most:
            break
    return b"".join(pieces)[:most]
