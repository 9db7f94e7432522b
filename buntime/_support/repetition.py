"""A text that repeats several others in one, all of them or their beginning and end, stored once."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import Callable

_WHOLE = "«streamed»"
_PARTS = re.compile(r"«streamed:(\d+)»(.*)«streamed:-(\d+)»", re.DOTALL)
"""The numbers of the first and of the last characters that are repeated, and the text between them."""
_SHORTEST = 1000
"""Characters of a beginning and an end from which on they are not stored again."""


def without_repetition(text: str, pieces: Iterable[str]) -> str:
    """Return a text with marks in place of what it repeats of the pieces; nothing large is copied twice.

    The pieces are read up to three times: they need not be in memory.
    """
    if not text:
        return text
    first = _common_length(text, pieces)
    if first == len(text) == sum(map(len, pieces)):
        return _WHOLE
    rest = text[: first - 1 : -1] if first else text[::-1]
    last = _common_length(rest, (piece[::-1] for piece in reversed(_last_pieces(pieces, len(rest)))))
    if first + last >= _SHORTEST:
        return f"«streamed:{first}»{text[first : len(text) - last]}«streamed:-{last}»"
    return f"\\{text}" if _is_mark(text.lstrip("\\")) else text


def with_repetition(text: str, pieces: Iterable[str]) -> str:
    """Return the text of which :func:`without_repetition` returned this."""
    if text == _WHOLE:
        return "".join(pieces)
    parts = _PARTS.fullmatch(text)
    if parts is not None:
        return _repeated(parts, pieces)
    return text[1:] if text.startswith("\\") and _is_mark(text.lstrip("\\")) else text


def with_changed_parts(text: str, pieces: Iterable[str], change: Callable[[str], str]) -> str:
    """Return a text with what its marks stand for, if it is a beginning and an end, changed by a function."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return text
    full = _repeated(parts, pieces, change)
    return f"\\{full}" if _is_mark(full.lstrip("\\")) else full


def _repeated(parts: re.Match[str], pieces: Iterable[str], change: Callable[[str], str] = str) -> str:
    """Return the text that a beginning and an end of the pieces stand in."""
    first, last = int(parts[1]), int(parts[3])
    beginning, end = "".join(_first_pieces(pieces, first)), "".join(_last_pieces(pieces, last))
    return f"{change(beginning[:first])}{parts[2]}{change(end[len(end) - last :])}"


def _first_pieces(pieces: Iterable[str], size: int) -> Iterator[str]:
    """Yield the first of several texts, until they have that many characters."""
    for piece in pieces:
        if size <= 0:
            return
        yield piece
        size -= len(piece)


def _last_pieces(pieces: Iterable[str], size: int) -> deque[str]:
    """Return the last of several texts, so many that they have that many characters."""
    last: deque[str] = deque()
    for piece in pieces:
        last.append(piece)
        size -= len(piece)
        while last and size + len(last[0]) <= 0:
            size += len(last.popleft())
    return last


def _is_mark(text: str) -> bool:
    return text == _WHOLE or _PARTS.fullmatch(text) is not None


def _common_length(text: str, pieces: Iterable[str]) -> int:
    """Return how many characters a text has in common with the beginning of the pieces in one."""
    end = 0
    for piece in pieces:
        if not text.startswith(piece, end):
            return end + sum(takewhile(bool, map(str.__eq__, text[end : end + len(piece)], piece)))
        end += len(piece)
    return end
