"""Base64 in a text: its content, and the line ends that tools wrap it at."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

_LONG_WORD = 24
_BASE64 = re.compile(rf"[A-Za-z0-9+/_-]{{{_LONG_WORD},}}")
"""A part of a text that could be base64; shorter ones are words."""
LINE_END = re.compile(r"(?:\n|\r\n?|\\\\*(?:r\\+)?n)(?=[A-Za-z0-9+/_-]|\Z)")
"""A line end before base64 or at the end of a text, as it is or as in JSON, however often that is escaped."""
_KINDS = bytes(2 if code in b"\r\n\\" else bool(_BASE64.match(chr(code) * _LONG_WORD)) for code in range(256))
"""1 for each byte that base64 may have, and 2 for the first of a line end."""
_LONG_WORD_KINDS = b"\1" * _LONG_WORD
_SHORTEST_LINE = b"\1" * 8 + b"\2"
"""The least of a line of base64, in these numbers; shorter ones are words at the end of a line."""
_PART = 1 << 20
_LONGEST = 1 << 14
"""Characters of base64 of a content that is looked for in one piece."""


def may_have_base64(text: str) -> bool:
    """Whether :func:`base64_in` yields anything; faster."""
    return _has_kinds(text, _LONG_WORD_KINDS)


def base64_in(text: str) -> Iterator[str]:
    """Yield the contents of the parts of a text that could be base64, each byte as a character."""
    end = 0
    for offset in range(0, len(text), _PART):
        # Faster than a search for the pattern, which is tried everywhere.
        kinds = _kinds(text[offset : offset + _PART + _LONG_WORD + len("//")])
        while (position := kinds.find(_LONG_WORD_KINDS, max(0, end - offset))) >= 0 and (
            match := _BASE64.match(text, offset + position)
        ):
            begin, end = match.span()
            for start in range(begin, end, _PART):  # parts that overlap, as it may be large
                part = text[start : min(end, start + _PART + _LONGEST)].replace("-", "+").replace("_", "/")
                # Behind a path or an escape, the groups of four begin anywhere; what is large is a file.
                for shift in range(4 if end - begin < _LONGEST else 1):
                    groups = part[shift : len(part) - ((len(part) - shift) % 4 == 1)]
                    yield binascii.a2b_base64(groups + "=" * (-len(groups) % 4)).decode("latin-1")


def unwrap(text: str) -> str:
    """Return a text without its :data:`LINE_END` if it may have base64 in lines, and as it is otherwise."""
    has_line_end = "\n" in text or "\\n" in text
    return LINE_END.sub("", text) if has_line_end and _has_kinds(text, _SHORTEST_LINE) else text


def _has_kinds(text: str, kinds: bytes) -> bool:
    """Whether a text has characters of these kinds in a row; looked at in parts, as each is copied twice."""
    for start in range(0, len(text), _PART):
        # "in" takes twice as long as find, as bytes look for a number first.
        if _kinds(text[start : start + _PART + _LONG_WORD]).find(kinds) >= 0:
            return True
    return False


def _kinds(text: str) -> bytes:
    """Return the kind of each character of a text; the slashes before a host are part of no word."""
    return text.replace("://", ":  ").encode("latin-1", "replace").translate(_KINDS)
