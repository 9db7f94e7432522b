"""The output of an execution: bytes by their offset, of which a bounded part is stored."""

from __future__ import annotations

from buntime._support.collected_text import marker

_HALF = 8 * 2**20
_PIECE = 64 * 1024


class OutputLog:
    """One output stream. Of more than 16 MB, the first and the last 8 MB are stored.

    An offset counts the bytes of the text in UTF-8 since the start.
    """

    def __init__(self) -> None:
        self._first = bytearray()
        self._last = bytearray()
        self._last_start = 0
        self.size: int = 0

    @property
    def stored(self) -> int:
        """How many bytes are stored."""
        return len(self._first) + len(self._last)

    def add(self, text: str) -> None:
        """Append a piece of text."""
        data = text.encode("utf-8", "replace")
        self.size += len(data)
        if not self._last and len(self._first) + len(data) <= _HALF:
            self._first += data
            self._last_start = self.size
            return
        self._last += data
        if len(self._last) > 2 * _HALF:
            # Rarely, so that adding a piece takes constant time on average.
            cut = _boundary(self._last, len(self._last) - _HALF)
            del self._last[:cut]
            self._last_start += cut

    def read(self, offset: int) -> tuple[int, str, int]:
        """Return a piece from ``offset`` on: its start, its text, and the offset after it.

        Empty at the end. A part that is not stored is replaced by a line with its size.
        """
        if offset < len(self._first):
            end = _boundary(self._first, min(len(self._first), offset + _PIECE))
            return offset, _decode(self._first[offset:end]), end
        if offset < self._last_start:
            return offset, marker(self._last_start - offset), self._last_start
        start = offset - self._last_start
        end = _boundary(self._last, min(len(self._last), start + _PIECE))
        return offset, _decode(self._last[start:end]), max(offset, self._last_start + end)

    def last_lines(self, count: int) -> tuple[str, bool]:
        """Return the last lines, and whether there are more."""
        gap = self._last_start - len(self._first)
        data = (
            self._first + (marker(gap).encode() if gap else b"") + self._last if self._last else self._first
        )
        if not count:
            return "", self.size > 0
        end = len(data) - data.endswith(b"\n")
        for _ in range(count):
            at = data.rfind(b"\n", 0, end)
            if at < 0:
                return _decode(data), gap > 0
            end = at
        return _decode(data[end + 1 :]), True


def _boundary(data: bytearray, at: int) -> int:
    """Return the start of the character at an index, or the index itself at the end."""
    while 0 < at < len(data) and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


def _decode(data: bytearray) -> str:
    return data.decode("utf-8", "replace")
