"""Functions over all parts of a JSON value."""

from __future__ import annotations

from typing import Any, Callable

from buntime._support.packed import PackedList, pack


def map_texts(value: Any, change: Callable[[str], Any]) -> Any:
    """Return a JSON value with a function called for each text in it, names included."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {str(change(name)): map_texts(item, change) for name, item in value.items()}
    if isinstance(value, PackedList):
        return pack(map_texts(item, change) for item in value)
    return [map_texts(item, change) for item in value] if isinstance(value, list) else value


def length(value: Any) -> int:
    """Return the number of characters in the texts of a JSON value, names not counted."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(length, value.values()))
    return sum(map(length, value)) if isinstance(value, (list, PackedList)) else 0
