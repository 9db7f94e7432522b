"""The events of a stream of output, in the order of their bytes and without repetition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Union

import attrs

from buntime._support import sse
from buntime.errors import BuntimeError, RequestTimeoutError
from buntime.runloop.wire.responses import decode_error_event
from buntime.wire.events import ParsedEvent
from buntime.wire.json import json_object


class ReconnectError(BuntimeError):
    """The service ended a stream before the execution, and expects another request."""


@attrs.define
class OutputPosition:
    """How many bytes of an output have arrived. A stream that is cut is resumed here.

    Only the first pieces of a resumed stream may repeat what has arrived. Later offsets are taken as they
    are: bytes that are not UTF-8 arrive as longer characters, so a piece can have more bytes than it covers.
    """

    offset: int = 0
    is_resumed: bool = False

    def new_text(self, text: str, offset: int | None) -> str:
        """Return the part of a piece that has not arrived before; ``offset`` is that of its first byte."""
        data = text.encode("utf-8", "surrogatepass")
        start = self.offset if offset is None else offset
        overlap = max(0, self.offset - start) if self.is_resumed else 0
        if overlap and overlap >= len(data):
            return ""
        self.is_resumed = False
        self.offset = start + len(data)
        return data[overlap:].decode("utf-8", "ignore") if overlap else text


def read_event(name: str, data: Union[str, dict[str, Any]]) -> ParsedEvent:
    """Parse an event: a piece of output, an error, or anything else; for the client and for cassettes."""
    fields = data if isinstance(data, dict) else json_object(data)
    if name == "error" and fields is not None:
        return ParsedEvent(name, data, fields)
    text = (fields or {}).get("output")
    if not isinstance(text, str):
        return ParsedEvent("", data, fields or {})
    return ParsedEvent("output", data, fields or {}, text, "output")


def output(chunks: Iterable[bytes], position: OutputPosition) -> Iterator[str]:
    """Yield the output of a stream from ``position`` on.

    Raises :class:`ReconnectError`, or the error that the service reports in an event. Anything that is not an
    event of the API is ignored.
    """
    position.is_resumed = position.offset > 0
    for name, data in sse.events(chunks):
        event = read_event(name, data)
        if event.is_end:
            code, message = event.fields.get("code"), event.fields.get("message")
            error = decode_error_event(code, str(message))
            raise ReconnectError(error.message) if isinstance(error, RequestTimeoutError) else error
        if event.text is not None:
            offset = event.fields.get("offset")
            text = position.new_text(event.text, offset if type(offset) is int and offset >= 0 else None)
            if text:
                yield text
