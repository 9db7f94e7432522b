"""One interaction while it is recorded: its chunks as they pass, and its end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any, Callable, Optional

import attrs

from buntime._http import Request, Response
from buntime._support import sse
from buntime._support.packed import PackedChunks, PackedList, pack
from buntime.cassette.body import serialize_body, serialize_events
from buntime.cassette.dialect import Dialect
from buntime.errors import APIConnectionError, APITimeoutError

_HOSTS = re.compile(
    r"https?://\S+|\[[0-9a-f:]+\](?::\d+)?|\b[\w-]+(?:\.[\w-]+)*:\d+\b|\b(?:[\w-]+\.)+[a-z][\w-]+\b|\b\d+(?:\.\d+){3}\b",
    re.IGNORECASE,
)
_STREAM = "event-stream"
_LARGE = 1 << 20
"""Bytes of a stream that is not to be in memory as a whole."""


@attrs.define(eq=False)
class PendingInteraction:
    """A request in flight."""

    number: int
    request: Request
    test: Optional[str]
    started: float
    now: Callable[[], float]
    learn: Callable[[PendingInteraction], None]
    """Serializes the request. Idempotent; called when it was sent, if the transport tells that."""
    keep: Callable[[PendingInteraction], None]
    """Keeps the interaction. Called once, when the outcome is known."""
    serialized: dict[str, Any] = attrs.field(factory=dict)
    """The request in the form of a cassette, with its secrets."""
    dialect: Dialect = attrs.field(init=False)
    in_values: bool = False
    """Whether the secrets of the request are to be looked for in its values."""
    request_json: str = ""
    may_have_key: bool = False
    """Whether a well-known key may be in the request."""
    thread: int = attrs.Factory(threading.get_ident)
    response: Optional[Response] = None
    chunks: list[bytes] = attrs.field(factory=list)
    """The body, unless it is a stream."""
    stream: Optional[PackedChunks] = None
    """The body of a stream: its chunks, each with its time on the clock."""
    size: int = 0
    """Bytes of the stream."""
    error: Optional[APIConnectionError] = None
    stopped_reading: bool = False
    finished: bool = False

    def watched_request(self) -> Request:
        """Return the request to send."""
        request = object.__new__(type(self.request))  # attrs.evolve takes 8 microseconds more
        vars(request).update(vars(self.request), on_sent=self.sent)
        return request

    def sent(self) -> None:
        """Note that the request was sent."""
        self.learn(self)
        if self.request.on_sent is not None:
            self.request.on_sent()

    def fail(self, error: APIConnectionError) -> None:
        """Note that the request failed."""
        self.error = error
        self.finish()

    def finish(self) -> None:
        """Note that nothing more comes."""
        if not self.finished:
            self.finished = True
            self.keep(self)

    def close(self) -> None:
        """Note that the program reads no further; the rest of the response, if any, is not known."""
        if not self.finished:
            self.stopped_reading = True
            self.finish()

    def tee(self, response: Response) -> Response:
        """Return a response with the same content, which is noted while it is read."""
        self.response = response
        if _STREAM in response.headers.get("Content-Type", ""):
            self.stream = PackedChunks()
        return _Watched(self, response)

    def pieces(self, response: Response) -> Iterator[bytes]:
        """Yield the body as it comes."""
        try:
            if self.stream is not None:
                yield from map(partial(self._note, self.stream), response.chunks)  # holds no chunk itself
            else:
                for chunk in response.chunks:
                    self.chunks.append(chunk)
                    yield chunk
        except APIConnectionError as error:
            self.fail(error)
            raise
        self.finish()

    def _note(self, stream: PackedChunks, chunk: bytes) -> bytes:
        if not self.finished:  # else another thread has closed the transport, and reads what was noted
            self.size += len(chunk)
            stream.append(self.now(), chunk)
        return chunk

    def outcome(self) -> dict[str, Any]:
        """Return ``response``, ``error`` or both, in the form of a cassette."""
        outcome: dict[str, Any] = {}
        if self.response is not None:
            outcome["response"] = self._serialize(self.response)
        if self.error is not None:
            kind = "timeout" if isinstance(self.error, APITimeoutError) else "connection"
            message = _HOSTS.sub("the service", self.error.message)
            outcome["error"] = {"kind": kind, "phase": self.error.phase, "message": message}
        return outcome

    def _serialize(self, response: Response) -> dict[str, Any]:
        dialect = self.dialect
        headers = response.headers.only(dialect.stored_headers)
        serialized: dict[str, Any] = {"status": response.status, "headers": headers}
        if self.stream is not None:
            rest = sse.incomplete_event(self.stream.reversed())
            chunks = ((round((at - self.started) * 1000), chunk) for at, chunk in self.stream.drain())
            stored = serialize_events(chunks, rest, dialect, pack if self.size > _LARGE else list)
            decoded = dialect.decode_response(self.serialized, stored)
            is_packed = isinstance(stored, PackedList)
            serialized["events"] = pack(decoded) if is_packed and isinstance(decoded, list) else decoded
        else:
            serialized.update(serialize_body(b"".join(self.chunks), headers.get("Content-Type", "")))
            self.chunks.clear()
            if isinstance(serialized.get("json"), dict):
                serialized["json"] = dialect.decode_response(self.serialized, serialized["json"])
        if self.stopped_reading:
            events = serialized.get("events")
            if not (events and len(events[-1]) > 2 and dialect.read_event(*events[-1][1:]).is_end):
                serialized["left"] = True
        return serialized


class _Watched(Response):
    """A response that notes the time-outs of its reader: a deadline that passes ends the interaction."""

    def __init__(self, pending: PendingInteraction, response: Response) -> None:
        super().__init__(
            response.status,
            response.headers,
            pending.pieces(response),
            on_close=response.close,
            on_discard=response.discard,
            max_bytes=response.max_bytes,
        )
        self._pending = pending

    def close(self) -> None:
        """Note the end, and close the response."""
        try:
            self._pending.close()
        finally:
            super().close()

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        if isinstance(error, APITimeoutError) and not self._pending.finished:
            self._pending.fail(error)
        super().__exit__(kind, error, traceback)
