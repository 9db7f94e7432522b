"""A text that repeats several others in one, all of them or their beginning and end, stored once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Callable

_WHOLE = "«streamed»"
_PARTS = re.compile(r"«streamed:(\d+)»(.*)«streamed:-(\d+)»", re.DOTALL)
"""The numbers of the first and of the last characters that are repeated, and the text between them."""
_SHORTEST = 1000
"""Characters of a beginning and an end from which on they are not stored again."""


def without_repetition(text: str, pieces: Sequence[str]) -> str:
    """Return a text with marks in place of what it repeats of the pieces; nothing large is copied twice."""
    first = _common_length(text, pieces)
    if first == len(text) == sum(map(len, pieces)) > 0:
        return _WHOLE
    last = _common_length(text[first:][::-1], (piece[::-1] for piece in reversed(pieces)))
    if first + last >= _SHORTEST:
        return f"«streamed:{first}»{text[first : len(text) - last]}«streamed:-{last}»"
    return f"\\{text}" if _is_mark(text.lstrip("\\")) else text


def with_repetition(text: str, pieces: Sequence[str]) -> str:
    """Return the text of which :func:`without_repetition` returned this."""
    if not _is_mark(text.lstrip("\\")):
        return text
    if text.startswith("\\"):
        return text[1:]
    joined, parts = "".join(pieces), _PARTS.fullmatch(text)
    if parts is None:
        return joined
    return f"{joined[: int(parts[1])]}{parts[2]}{joined[len(joined) - int(parts[3]) :]}"


def with_changed_parts(text: str, pieces: Sequence[str], change: Callable[[str], str]) -> str:
    """Return a text with what its marks stand for, if it is a beginning and an end, changed by a function."""
    parts = _PARTS.fullmatch(text)
    if parts is None:
        return text
    joined = "".join(pieces)
    first, last = joined[: int(parts[1])], joined[len(joined) - int(parts[3]) :]
    full = f"{change(first)}{parts[2]}{change(last)}"
    return f"\\{full}" if _is_mark(full.lstrip("\\")) else full


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
