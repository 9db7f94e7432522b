"""JSON as indented text that reads well in a diff, as in a cassette."""

from __future__ import annotations

import json
from typing import Any, Callable

from buntime._support.json_encoder import json_encoder
from buntime._support.packed import PackedList

LINES = "«lines»"
"""The only field of an object that represents a text of several lines."""
SURROGATES = "backslashreplace"
"""The error handler for lone surrogates, which are escaped as in JSON."""
_WIDTH = 100
_plain = json_encoder(ensure_ascii=False, separators=(", ", ": "))


def render(value: Any) -> str:
    """Return a JSON value as text that ends with a line end.

    A text with a line end in it is a list of its lines, a list that fits on a line is on one, and
    characters beyond ASCII are not escaped.
    """
    out: list[str] = []
    write(value, "\n", out.append)
    return "".join(out).encode("utf-8", SURROGATES).decode() + "\n"


def write(value: Any, newline: str, out: Callable[[str], object], *, in_lines: bool = True) -> None:
    """Pass a JSON value to a function in pieces; ``newline`` is a line end with the margin of its lines."""
    if isinstance(value, str):
        if in_lines and "\n" in value[:-1]:
            separator = f",{newline}  "
            out(f'{{"{LINES}": [{newline}  {separator.join(map(_plain, value.split(chr(10))))}{newline}]}}')
        else:
            out(_plain(value))
    elif isinstance(value, dict) and value:
        separator, deeper = "{", newline + "  "
        for name, item in _escaped(value).items():
            out(f"{separator}{deeper}{_plain(name)}: ")
            write(item, deeper, out, in_lines=in_lines)
            separator = ","
        out(newline + "}")
    elif isinstance(value, (list, PackedList)) and value:
        line = _on_one_line(value) if isinstance(value, list) else None
        if line is not None:
            out(line)
            return
        separator, deeper = "[", newline + "  "
        for item in value:
            out(separator + deeper)
            write(item, deeper, out, in_lines=in_lines)
            separator = ","
        out(newline + "]")
    else:
        out(_plain(value))


def _on_one_line(value: list[Any]) -> str | None:
    line = None if _too_much(value) else _plain(value)
    return line if line is not None and len(line) <= _WIDTH else None


def _too_much(value: Any) -> bool:
    """Whether a value has a text of several lines, or certainly does not fit on one."""
    if isinstance(value, str):
        return len(value) > _WIDTH or "\n" in value[:-1]
    if isinstance(value, dict):
        marked = len(value) == 1 and next(iter(value)).endswith(LINES)
        return len(value) > _WIDTH or marked or any(map(_too_much, value.values()))
    return isinstance(value, list) and (len(value) > _WIDTH or any(map(_too_much, value)))


def _escaped(value: dict[str, Any]) -> dict[str, Any]:
    """Mark a recorded object that looks like a list of lines, so that it comes back as it is."""
    is_like_lines = len(value) == 1 and next(iter(value)).lstrip("\\") == LINES
    return {f"\\{name}": item for name, item in value.items()} if is_like_lines else value


def _restored(item: dict[str, Any]) -> Any:
    if len(item) != 1:
        return item
    ((name, value),) = item.items()
    if name == LINES and isinstance(value, list):
        return "\n".join(value)
    return {name[1:]: value} if name.startswith("\\") and name.lstrip("\\") == LINES else item


def parse(text: str) -> Any:
    """Return the value of a text that :func:`render` made; ``ValueError`` if it is not JSON."""
    return json.loads(text, object_hook=_restored if "lines" in text else None)
