"""The event-stream format (``text/event-stream``) of WHATWG HTML, section 9.2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

_BOM = b"\xef\xbb\xbf"
_BLANK_LINES = (b"\n\n", b"\n\r\n", b"\n\r", b"\r\r\n", b"\r\r")
"""The ends of a blank line, for each pair of CR, LF and CRLF."""
_LARGE = 1 << 20
_LONGEST_NAME = 16
"""Bytes at the start of a line in which the colon of a known field is."""


def events(chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield ``(event, data)`` for each event, independently of how the bytes are split into chunks.

    ``event`` is ``""`` for an event without a name. As the format requires, an incomplete event at the end of
    the stream is dropped. ``id`` and ``retry`` fields and comments are ignored.
    """
    name = ""
    data: list[str] = []
    for lines in _lines(_with_line_feeds(_without_bom(chunks))):
        for field, separator, value in lines:
            if field == "data":
                data.append(value[1:] if separator and value.startswith(" ") else value)
            elif field == "event":
                name = value[1:] if separator and value.startswith(" ") else value
            elif not field and not separator:
                if data:
                    yield name, data[0] if len(data) == 1 else "\n".join(data)
                name, data = "", []


def incomplete_event(chunks: Iterable[bytes]) -> bytes:
    """Return the bytes after the last blank line of a stream, whose chunks come in reverse."""
    remaining = iter(chunks)
    pieces: list[bytes] = []
    while True:
        more = list(islice(remaining, len(pieces) + 1))
        pieces = [*reversed(more), *pieces]
        content = b"".join(pieces)
        ends = [(content.rfind(ending), len(ending)) for ending in _BLANK_LINES]
        end = max(start + length if start >= 0 else 0 for start, length in ends)
        if end or not more:
            return content[end:].lstrip(b"\r\n")


def _lines(chunks: Iterable[bytes]) -> Iterator[list[tuple[str, str, str]]]:
    """Yield complete lines, split at their first colon; without it, no space precedes the value.

    A line that spans chunks, or is in a large one, may be large. The lines inside another chunk may be many:
    they are decoded and split together.
    """
    unfinished: list[memoryview] = []
    for chunk in chunks:
        end, view = chunk.find(b"\n"), memoryview(chunk)
        if end < 0:
            unfinished.append(view)
            continue
        yield _split_line([*unfinished, view[:end]])
        last = chunk.rfind(b"\n")
        while last - end > _LARGE:
            start, end = end + 1, chunk.find(b"\n", end + 1)
            yield _split_line([view[start:end]])
        if last > end:
            text = chunk[end + 1 : last].decode("utf-8", "replace")
            yield [line.partition(":") for line in text.split("\n")]
        unfinished = [view[last + 1 :]] if last + 1 < len(chunk) else []


def _split_line(pieces: list[memoryview]) -> list[tuple[str, str, str]]:
    """Return a line, whose value is copied once, as an aligned copy is decoded faster."""
    if len(pieces[0]) < _LONGEST_NAME:
        pieces = [memoryview(b"".join(pieces))]
    head = bytes(pieces[0][:_LONGEST_NAME])
    field, _, value = head.partition(b":")
    if head and not field:
        return []  # a comment
    pieces[0] = pieces[0][len(field) + (2 if value.startswith(b" ") else 1) :]
    return [(field.decode("utf-8", "replace"), "", b"".join(pieces).decode("utf-8", "replace"))]


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
