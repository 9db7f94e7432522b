"""Text in lines of a fixed width, as tools print base64."""

from __future__ import annotations


def wrap(text: str, width: int, line_end: str = "\n") -> str:
    """Return a text with a line end after each ``width`` characters."""
    return line_end.join(text[start : start + width] for start in range(0, len(text), width))
