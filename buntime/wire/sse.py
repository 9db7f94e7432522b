"""The event-stream format (``text/event-stream``), as WHATWG HTML, section 9.2 describes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"
_COLON = ord(":")


def events(chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield ``(event, data)`` for each event, however the bytes are split into chunks.

    ``event`` is ``""`` where the stream names none. An event that the end of the stream cuts off is
    dropped, as the format says. ``id`` and ``retry`` fields and comments are passed over.
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
    """Return what follows the colon, without the one space that may come first.

    ``""`` where the line ends before it, and ``None`` where the field's name goes on.
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

    A line that spans chunks may be large, and is copied once; those inside of one may be many.
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
    """Yield the chunks with each line end, CR, LF or CRLF, as one LF; a CR is not held back for its LF."""
    after_cr = False
    for chunk in chunks:
        own = chunk[1:] if after_cr and chunk.startswith(b"\n") else chunk
        after_cr = own.endswith(b"\r")
        yield own.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in own else own


def _without_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks that hold something, without a byte order mark at the very beginning."""
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
