"""Text from elsewhere, shown on a terminal."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """Return ``text`` with control, format and bidi characters as escapes, except those in ``keep``.

    A service or a program chooses such text. Unescaped it could move the cursor, forge lines, or reorder
    what is read.
    """
    if text.isprintable():
        return text
    return "".join(
        character
        if character in keep or character.isprintable()
        else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
