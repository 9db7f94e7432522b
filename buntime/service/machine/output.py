"""The text of an output stream, of which a bounded part is kept."""

from __future__ import annotations

from collections import deque
from typing import Union

from buntime._support.collected_text import marker


class BoundedText:
    """Keeps the first and the last half of a text, about ``maximum`` bytes; all of it if that is ``None``.

    Pieces stay whole, so each half has up to a piece more. A piece counts with its ``size``.
    """

    def __init__(self, maximum: Union[int, None]) -> None:
        self._half = None if maximum is None else max(1, maximum // 2)
        self._first: list[str] = []
        self._last: deque[tuple[str, int]] = deque()
        self._first_size = self._last_size = 0
        self.omitted: int = 0
        """How many bytes between the two halves were left out."""

    def add(self, text: str, size: int) -> None:
        """Add a piece."""
        if self._half is None or self._first_size < self._half:
            self._first.append(text)
            self._first_size += size
            return
        self._last.append((text, size))
        self._last_size += size
        while self._last_size - self._last[0][1] >= self._half:
            dropped, size = self._last.popleft()
            self._last_size -= size
            self.omitted += len(dropped.encode("utf-8", "replace"))

    def text(self) -> str:
        """Return the two halves, with a line between them if something was left out."""
        between = marker(self.omitted) if self.omitted else ""
        return "".join([*self._first, between, *(text for text, _ in self._last)])
