"""The event-stream format (``text/event-stream``) of WHATWG HTML, section 9.2."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"
_LONGEST_NAME = 16
"""Bytes at the start of a line in which the colon of a known field is."""


def events(chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield ``(event, data)`` for each event, independently of how the bytes are split into chunks.

    ``event`` is ``""`` for an event without a name. As the format requires, an incomplete event at the end of
    the stream is dropped. ``id`` and ``retry`` fields and comments are ignored.
    """
    name = ""
    data: list[str] = []
    for field, value in _fields(_with_line_feeds(_without_bom(chunks))):
        if field == "data":
            data.append(value)
        elif field == "event":
            name = value
        elif field is None:
            if data:
                yield name, data[0] if len(data) == 1 else "\n".join(data)
            name, data = "", []


def _fields(chunks: Iterable[bytes]) -> Iterator[tuple[str | None, str]]:
    """Yield the name and the value of each complete line; ``None`` as the name for an empty line.

    A line that spans chunks may be large: it is copied once, and its value once more. The lines inside one
    chunk may be many: they are decoded and split together.
    """
    begun: list[bytes | memoryview] = []
    for chunk in chunks:
        first = chunk.find(b"\n")
        if first < 0:
            begun.append(chunk)
            continue
        view = memoryview(chunk)
        line = b"".join((*begun, view[:first]))
        field, _, _ = line[:_LONGEST_NAME].partition(b":")
        start = len(field) + (2 if line[len(field) + 1 : len(field) + 2] == b" " else 1)
        if line:
            yield field.decode("utf-8", "replace"), str(memoryview(line)[start:], "utf-8", "replace")
        else:
            yield None, ""
        last = chunk.rfind(b"\n")
        if last > first:
            for text in chunk[first + 1 : last].decode("utf-8", "replace").split("\n"):
                name, _, value = text.partition(":")
                yield name if text else None, value[1:] if value.startswith(" ") else value
        begun = [view[last + 1 :]]


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
