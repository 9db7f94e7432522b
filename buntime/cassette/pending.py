"""One exchange while it is recorded: its chunks as they pass, and how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Callable, Optional

import attrs

from buntime._http import Request, Response
from buntime.cassette.body import events, stored
from buntime.errors import APIConnectionError, APITimeoutError
from buntime.wire.events import read_event
from buntime.wire.volatile import STORED_HEADERS

_HOSTS = re.compile(
    r"https?://\S+|\[[0-9a-f:]+\](?::\d+)?|\b[\w-]+(?:\.[\w-]+)*:\d+\b|\b(?:[\w-]+\.)+[a-z][\w-]+\b|\b\d+(?:\.\d+){3}\b",
    re.IGNORECASE,
)


@attrs.define(eq=False)
class PendingInteraction:
    """A request under way. ``finish`` is called once, when its outcome is known."""

    number: int
    request: Request
    stored: dict[str, Any]
    """The request in the form of a cassette, as it is."""
    thread: int
    now: Callable[[], float]
    on_finish: Callable[[PendingInteraction], None]
    started: float = attrs.field(init=False)
    response: Optional[Response] = None
    chunks: list[tuple[float, bytes]] = attrs.field(factory=list)
    """Each with its time on the clock."""
    error: Optional[APIConnectionError] = None
    left: bool = False
    finished: bool = False

    def __attrs_post_init__(self) -> None:
        self.started = self.now()

    def failed(self, error: APIConnectionError) -> None:
        """Note that the exchange failed."""
        self.error = error
        self.finish()

    def finish(self) -> None:
        """Note that nothing more comes."""
        if not self.finished:
            self.finished = True
            self.on_finish(self)

    def close(self) -> None:
        """Note that the program reads no further; the rest, if any, is not known."""
        self.left = not self.finished
        self.finish()

    def tee(self, response: Response) -> Response:
        """Return a response that brings the same, and notes it."""
        self.response = response

        def on_close() -> None:
            try:
                self.close()
            finally:
                response.close()

        def on_discard() -> None:
            try:
                self.close()
            finally:
                response.discard()

        return _Watched(self, response, on_close, on_discard)

    def pieces(self, response: Response) -> Iterator[bytes]:
        """Yield the body as it comes."""
        try:
            for chunk in response.chunks:
                self.chunks.append((self.now(), chunk))
                yield chunk
        except APIConnectionError as error:
            self.failed(error)
            raise
        self.finish()

    def outcome(self) -> dict[str, Any]:
        """Return ``response``, ``error`` or both, in the form of a cassette."""
        found: dict[str, Any] = {}
        if self.response is not None:
            found["response"] = self._stored(self.response)
        if self.error is not None:
            kind = "timeout" if isinstance(self.error, APITimeoutError) else "connection"
            message = _HOSTS.sub("the service", self.error.message)
            found["error"] = {"kind": kind, "phase": self.error.phase, "message": message}
        return found

    def _stored(self, response: Response) -> dict[str, Any]:
        found: dict[str, Any] = {"status": response.status}
        headers = {name: response.headers[name] for name in STORED_HEADERS if name in response.headers}
        found["headers"] = headers
        content_type = headers.get("Content-Type", "")
        if "event-stream" in content_type:
            found["events"] = events((round((at - self.started) * 1000), chunk) for at, chunk in self.chunks)
        else:
            found.update(stored(b"".join(chunk for _, chunk in self.chunks), content_type))
        if self.left and not _is_whole(found.get("events", [])):
            found["left"] = True
        return found


def _is_whole(events: list[list[Any]]) -> bool:
    return bool(events) and len(events[-1]) > 2 and read_event(*events[-1][1:]).is_end


class _Watched(Response):
    """A response whose reader's own time-outs are noted: a deadline that passes ends the exchange."""

    def __init__(
        self,
        take: PendingInteraction,
        response: Response,
        on_close: Callable[[], None],
        on_discard: Callable[[], None],
    ) -> None:
        super().__init__(
            response.status,
            response.headers,
            take.pieces(response),
            on_close=on_close,
            on_discard=on_discard,
        )
        self._take = take

    def __exit__(self, kind: Any, error: Optional[BaseException], traceback: Any) -> None:
        if isinstance(error, APITimeoutError) and not self._take.finished:
            self._take.failed(error)
        super().__exit__(kind, error, traceback)
