"""One interaction while it is recorded: its chunks as they pass, and its end."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any, Callable, Optional, Protocol

import attrs

from buntime._http import Request, Response
from buntime._support.packed import shrink
from buntime.cassette.body import serialize_body, serialize_events
from buntime.cassette.dialect import Dialect
from buntime.errors import APIConnectionError, APITimeoutError

_HOSTS = re.compile(
    r"https?://\S+|\[[0-9a-f:]+\](?::\d+)?|\b[\w-]+(?:\.[\w-]+)*:\d+\b|\b(?:[\w-]+\.)+[a-z][\w-]+\b|\b\d+(?:\.\d+){3}\b",
    re.IGNORECASE,
)

_STREAM = "event-stream"
_LARGE = 1 << 20
"""Bytes of a stream that is not to be in memory twice."""


class Recording(Protocol):
    """Keeps the interactions of a recording."""

    now: Callable[[], float]

    def learn(self, pending: PendingInteraction) -> None:
        """Serialize the request. Idempotent; called when it was sent, if the transport tells that."""
        ...

    def finish(self, pending: PendingInteraction) -> None:
        """Keep the interaction. Called once, when the outcome is known."""
        ...


@attrs.define(eq=False)
class PendingInteraction:
    """A request in flight."""

    number: int
    request: Request
    recorder: Recording
    serialized: dict[str, Any] = attrs.field(factory=dict)
    """The request in the form of a cassette, with its secrets."""
    dialect: Dialect = attrs.field(init=False)
    in_values: bool = False
    """Whether the secrets of the request are to be looked for in its values."""
    request_json: str = ""
    started: float = attrs.Factory(lambda pending: pending.recorder.now(), takes_self=True)
    thread: int = attrs.Factory(threading.get_ident)
    response: Optional[Response] = None
    chunks: list[tuple[float, bytes]] = attrs.field(factory=list)
    """Each with its time on the clock; those of a stream are shrunk."""
    size: int = 0
    """Bytes of the body."""
    error: Optional[APIConnectionError] = None
    stopped_reading: bool = False
    finished: bool = False
    is_large: bool = False

    def watched_request(self) -> Request:
        """Return the request to send."""
        request = object.__new__(type(self.request))  # attrs.evolve takes 8 microseconds more
        vars(request).update(vars(self.request), on_sent=self.sent)
        return request

    def sent(self) -> None:
        """Note that the request was sent."""
        self.recorder.learn(self)
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
            self.recorder.finish(self)

    def close(self) -> None:
        """Note that the program reads no further; the rest of the response, if any, is not known."""
        if not self.finished:
            self.stopped_reading = True
            self.finish()

    def tee(self, response: Response) -> Response:
        """Return a response with the same content, which is noted while it is read."""
        self.response = response
        return _Watched(self, response)

    def pieces(self, response: Response) -> Iterator[bytes]:
        """Yield the body as it comes."""
        is_stream = _STREAM in response.headers.get("Content-Type", "")
        try:
            for chunk in response.chunks:
                self.size += len(chunk)
                self.chunks.append((self.recorder.now(), shrink(chunk) if is_stream else chunk))
                yield chunk
        except APIConnectionError as error:
            self.fail(error)
            raise
        self.finish()

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
        content_type = headers.get("Content-Type", "")
        serialized: dict[str, Any] = {"status": response.status, "headers": headers}
        if _STREAM in content_type:
            self.is_large = self.size > _LARGE
            chunks = [(round((at - self.started) * 1000), chunk) for at, chunk in self.chunks]
            self.chunks.clear()
            serialized["events"] = serialize_events(chunks, dialect)
        else:
            serialized.update(serialize_body(b"".join([chunk for _, chunk in self.chunks]), content_type))
            self.chunks.clear()
        form = "events" if "events" in serialized else "json"
        if form in serialized:
            serialized[form] = dialect.decode_response(self.serialized, serialized[form])
        if self.stopped_reading:
            last = serialized.get("events", [])[-1:]
            if not any(len(event) > 2 and dialect.read_event(*event[1:]).is_end for event in last):
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
