"""A cassette as text: indented JSON that reads well in a diff."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

LINES = "«lines»"
"""The only field of an object that represents a text of several lines."""
_WIDTH = 100
_SURROGATE = re.compile("[\ud800-\udfff]")


def render(value: Any) -> str:
    """Return a JSON value as text that ends with a line end.

    A text with a line end in it is a list of its lines, a list that fits on a line is on one, and
    characters beyond ASCII are not escaped.
    """
    text = "".join(_pieces(value, "\n")) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda match: f"\\u{ord(match.group()):04x}", text)
    return text


def _pieces(value: Any, newline: str) -> Iterator[str]:
    deeper = newline + "  "
    if isinstance(value, str) and "\n" in value[:-1]:
        yield f'{{"{LINES}": [{deeper}'
        yield f",{deeper}".join(map(_plain, value.split("\n")))
        yield f"{newline}]}}"
    elif isinstance(value, dict) and value:
        pairs = ((_plain(name) + ": ", item) for name, item in _escaped(value).items())
        yield from _block("{", "}", pairs, newline)
    elif isinstance(value, list) and value:
        line = _on_one_line(value)
        if line is not None:
            yield line
        else:
            yield from _block("[", "]", (("", item) for item in value), newline)
    else:
        yield _plain(value)


def _block(opening: str, closing: str, items: Iterable[tuple[str, Any]], newline: str) -> Iterator[str]:
    separator = opening
    for name, item in items:
        yield f"{separator}{newline}  {name}"
        yield from _pieces(item, newline + "  ")
        separator = ","
    yield newline + closing


def _on_one_line(value: list[Any]) -> str | None:
    if len(value) > _WIDTH or _too_much(value):
        return None
    line = _plain(value)
    return line if len(line) <= _WIDTH else None


def _too_much(value: Any) -> bool:
    """Whether a value has a text of several lines, or certainly does not fit on one."""
    if isinstance(value, str):
        return len(value) > _WIDTH or "\n" in value[:-1]
    if isinstance(value, dict):
        marked = len(value) == 1 and next(iter(value)).endswith(LINES)
        return len(value) > _WIDTH or marked or any(map(_too_much, value.values()))
    return isinstance(value, list) and (len(value) > _WIDTH or any(map(_too_much, value)))


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _escaped(value: dict[str, Any]) -> dict[str, Any]:
    """Mark a recorded object that looks like a list of lines, so that it comes back as it is."""
    if len(value) == 1:
        (name,) = value
        if name.lstrip("\\") == LINES:
            return {"\\" + name: value[name]}
    return value


def _restored(item: dict[str, Any]) -> Any:
    if len(item) == 1:
        ((name, value),) = item.items()
        if name.endswith(LINES):
            if name == LINES and isinstance(value, list):
                return "\n".join(value)
            if name.startswith("\\") and name.lstrip("\\") == LINES:
                return {name[1:]: value}
    return item


def parse(text: str) -> Any:
    """Return the value of a text that :func:`render` made; ``ValueError`` if it is not JSON."""
    return json.loads(text, object_hook=_restored)
