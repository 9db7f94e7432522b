"""Representations of values that may be large."""

from __future__ import annotations

_LONGEST_TEXT = 400
_SHOWN = 150
_MOST_ITEMS = 20


def short_repr(value: object) -> str:
    """Return the ``repr`` of a value, with long texts and long tuples shortened.

    A long text is sliced first, so that the cost does not grow with its size.
    """
    if isinstance(value, str) and len(value) > _LONGEST_TEXT:
        return f"<{len(value)} characters: {value[:_SHOWN]!r} ... {value[-_SHOWN:]!r}>"
    if isinstance(value, tuple):
        items = [short_repr(item) for item in value[:_MOST_ITEMS]]
        if len(value) > _MOST_ITEMS:
            items.append(f"... and {len(value) - _MOST_ITEMS} more")
        return f"({', '.join(items)}{',' if len(value) == 1 else ''})"
    return repr(value)
