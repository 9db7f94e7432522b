"""The text of an output stream, of which the first and the last part are stored."""

from __future__ import annotations

import re
import sys
from typing import Optional

_MARKER_START = "\n[... "
_MARKER = re.compile(r"\n\[\.\.\. (\d{1,18}) bytes of output left out \.\.\.\]\n")


def marker(omitted: int) -> str:
    """Return the line that stands in place of ``omitted`` bytes."""
    return f"\n[... {omitted} bytes of output left out ...]\n"


class CollectedText:
    """Stores at most ``maximum`` bytes of a text in UTF-8: its first and last half. No character is split.

    Small pieces cost no more than large ones, because the bytes are stored and not the pieces. The end may
    grow to twice its size before it is cut, so that adding a piece takes constant time on average.
    """

    def __init__(self, maximum: Optional[int]) -> None:
        self.maximum = maximum
        self._first = bytearray()
        self._room = sys.maxsize if maximum is None else maximum // 2
        self._last = bytearray()
        self.size: int = 0

    def add(self, text: str) -> None:
        """Add a piece."""
        data = text.encode("utf-8", "surrogatepass")
        size, room = len(data), self._room
        self.size += size
        if size <= room or self.maximum is None:
            self._first += data
            self._room -= size
            return
        if room:
            while room and _continues(data[room]):
                room -= 1
            self._first += data[:room]
            self._room = 0
        self._last += data[room:]
        last_room = self.maximum - len(self._first)
        if len(self._last) > 2 * last_room:
            del self._last[:-last_room]

    @property
    def truncated(self) -> bool:
        """Whether a part is missing."""
        return self.maximum is not None and self.size > self.maximum

    def text(self, omitted_before: int = 0) -> str:
        """Return the two halves, with a line between them if something is missing.

        ``omitted_before`` is how many more bytes were missing in the part that this object removed.
        """
        if self.maximum is None or not self.truncated:
            return _decode(self._first + self._last)
        start = len(self._last) - (self.maximum - len(self._first))
        while start < len(self._last) and _continues(self._last[start]):
            start += 1
        last = self._last[start:]
        omitted = self.size - len(self._first) - len(last) + omitted_before
        return _decode(self._first) + marker(omitted) + _decode(last)


def bound(text: str, maximum: Optional[int]) -> tuple[str, bool]:
    """Return at most ``maximum`` bytes of a complete text, and whether a part is missing.

    A text that the service cut before contains its marker, and is never reported as complete. If a second cut
    removes that marker, the new one includes its count.
    """
    if maximum is None or len(text) * 4 <= maximum:
        return text, _MARKER_START in text and _MARKER.search(text) is not None
    earlier = _MARKER.search(text)
    if text.isascii():  # a character is a byte: nothing is copied to count and cut 10 MB
        first, last = maximum // 2, len(text) - (maximum - maximum // 2)
        if first >= last:
            return text, earlier is not None
        omitted = last - first
        if earlier is not None and first < earlier.end() and earlier.start() < last:
            omitted += int(earlier.group(1)) - len(earlier.group())
        return "".join([text[:first], marker(omitted), text[last:]]), True
    collected = CollectedText(maximum)
    collected.add(text)
    if not collected.truncated:
        return text, earlier is not None
    cut = collected.text()
    if earlier is not None and earlier.group() not in cut:
        cut = collected.text(int(earlier.group(1)) - len(earlier.group()))
    return cut, True


def _continues(byte: int) -> bool:
    """Whether a byte is not the first of its character."""
    return byte & 0xC0 == 0x80


def _decode(data: bytearray) -> str:
    return data.decode("utf-8", "surrogatepass")
