"""The event-stream format (``text/event-stream``) of WHATWG HTML, section 9.2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"
_COLON = ord(":")


def events(chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield ``(event, data)`` for each event, independently of how the bytes are split into chunks.

    ``event`` is ``""`` for an event without a name. As the format requires, an incomplete event at the end of
    the stream is dropped. ``id`` and ``retry`` fields and comments are ignored.
    """
    name = ""
    data: list[str] = []
    for line in _lines(_with_line_feeds(_without_bom(chunks))):
        if not line:
            if data:
                yield name, data[0] if len(data) == 1 else "\n".join(data)
            name, data = "", []
        elif line.startswith(b"data"):
            value = _value(line, 4)
            if value is not None:
                data.append(value)
        elif line.startswith(b"event"):
            value = _value(line, 5)
            name = name if value is None else value


def _value(line: bytes, colon: int) -> str | None:
    """Return the text after the colon, without one leading space.

    ``""`` if the line ends before the colon; ``None`` if the field has a longer name.
    """
    if len(line) == colon:
        return ""
    if line[colon] != _COLON:
        return None
    start = colon + (2 if line.startswith(b" ", colon + 1) else 1)
    # A view, so that a large value is not copied before it is decoded.
    return str(memoryview(line)[start:], "utf-8", "replace")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the complete lines, without their ends.

    A line that spans chunks may be large, so it is copied only once. The lines inside one chunk may be many,
    so they are split in a single call.
    """
    begun: list[bytes | memoryview] = []
    for chunk in chunks:
        first = chunk.find(b"\n")
        if first >= 0:
            view = memoryview(chunk)
            yield b"".join((*begun, view[:first]))
            last = chunk.rfind(b"\n")
            if last > first:
                yield from chunk[first + 1 : last].split(b"\n")
            begun = [view[last + 1 :]]
        else:
            begun.append(chunk)


def _with_line_feeds(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks with CR and CRLF replaced by LF, without waiting for the LF after a CR."""
    after_cr = False
    for chunk in chunks:
        rest = chunk[1:] if after_cr and chunk.startswith(b"\n") else chunk
        after_cr = rest.endswith(b"\r")
        yield rest.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in rest else rest


def _without_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks that are not empty, without a byte order mark at the start of the stream."""
    head = b""
    at_start = True
    for chunk in chunks:
        if not at_start:
            if chunk:
                yield chunk
            continue
        head += chunk
        if len(head) < len(_BOM) and _BOM.startswith(head):
            continue
        at_start = False
        head = head[len(_BOM) :] if head.startswith(_BOM) else head
        if head:
            yield head
