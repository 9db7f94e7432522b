"""The event-stream format (``text/event-stream``), as WHATWG HTML, section 9.2 describes it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"


def events(chunks: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Yield ``(event, data)`` for each event, however the bytes are split into chunks.

    ``event`` is ``""`` where the stream names none. An event that the end of the stream cuts off is
    dropped, as the format says. ``id`` and ``retry`` fields and comments are passed over.
    """
    name = ""
    data: list[bytes] = []
    for line in _lines(chunks):
        if not line:
            if data:
                yield name, b"\n".join(data).decode("utf-8", "replace")
            name, data = "", []
            continue
        field, _, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value.decode("utf-8", "replace")


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the complete lines, which end with CR, LF or CRLF, without their ends."""
    begun: list[bytes] = []
    after_cr = False
    for chunk in _without_bom(chunks):
        lines = (chunk[1:] if after_cr and chunk.startswith(b"\n") else chunk).splitlines(keepends=True)
        after_cr = chunk.endswith(b"\r")
        unfinished = lines.pop() if lines and lines[-1][-1:] not in {b"\r", b"\n"} else b""
        for line in lines:
            text = line.rstrip(b"\r\n")
            if begun:
                begun.append(text)
                text = b"".join(begun)
                begun = []
            yield text
        if unfinished:
            begun.append(unfinished)


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
