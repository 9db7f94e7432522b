"""How long one call may take, and how much of its response is read into memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Callable, Optional, Union

import attrs

from buntime._http import Response, SupportsTime
from buntime.errors import APITimeoutError, InvalidResponseError

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

    def passed(self) -> bool:
        """Whether no time remains."""
        return self.at is not None and self.at <= self.clock.monotonic()


class SharedDeadline(threading.local):
    """The deadline that the requests of this thread share, if any."""

    deadline: Optional[Deadline] = None

    def sharing(self, deadline: Deadline) -> _Sharing:
        """Return a context manager whose block has this deadline, unless an outer one has begun."""
        return _Sharing(self, deadline)


class _Sharing:
    """A class, as each execution enters such a block: a generator takes three times as long."""

    def __init__(self, shared: SharedDeadline, deadline: Deadline) -> None:
        self._shared = shared
        self._deadline = deadline

    def __enter__(self) -> None:
        self._outer = self._shared.deadline
        if self._outer is None:
            self._shared.deadline = self._deadline

    def __exit__(self, *_: object) -> None:
        self._shared.deadline = self._outer


class AttemptLimits:
    """Limits one attempt. A transport that can also limits each of its operations.

    ``total`` is the number of seconds to wait for an execution in all. Only waits for the service count, not
    the time that the reader of a stream takes.
    """

    def __init__(self, deadline: Deadline, total: Optional[float]) -> None:
        self._deadline = deadline
        self._total = total
        self._now = deadline.clock.monotonic
        self._started = 0.0 if total is None else self._now()

    def _exceeded(self) -> APITimeoutError | None:
        """Return the error for a limit that is exceeded, or ``None``."""
        if self._deadline.passed():
            return APITimeoutError("the deadline passed", phase="read")
        if self._total is not None and self._now() - self._started >= self._total:
            return APITimeoutError(f"the execution did not end within {self._total:g} s", phase="read")
        return None

    def stream(self, response: Response) -> Iterator[bytes]:
        """Yield the pieces of a body until a limit is exceeded. The reader takes time from this call on."""
        return self._stream(response.chunks, self._now())

    def _stream(self, chunks: Iterator[bytes], paused: float) -> Iterator[bytes]:
        while True:
            self._started += self._now() - paused
            error = self._exceeded()
            if error is not None:
                raise error
            chunk = next(chunks, None)
            if chunk is None:
                return
            paused = self._now()
            yield chunk

    def buffered(self, response: Response) -> Iterator[bytes]:
        """Yield the pieces of a body that is read at once; complete, it is not lost to a limit."""
        error: APITimeoutError | None = None
        for chunk in response.chunks:
            if error is not None:
                raise error
            yield chunk
            error = self._exceeded()


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
