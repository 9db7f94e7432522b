"""Short HTML of values for notebooks: all text is escaped and cut, and no attribute contains any of it."""

from __future__ import annotations

import itertools
import re
import reprlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any, Optional

from buntime._support.terminal import printable

LONGEST_TEXT = 10_000
"""Characters of a text."""
_LONGEST_CELL = 200
_MOST_ROWS = 20
_MOST_COLUMNS = 20
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother, _REPR.maxlist, _REPR.maxdict = 3, 400, 400, 20, 20
_PRE = "white-space:pre-wrap;word-break:break-word;margin:0;text-align:left"
_RED = ";border-left:3px solid #c33;padding-left:6px"


def text(value: object, most: int = _LONGEST_CELL) -> str:
    """Return a string, or the shortened ``repr`` of another value, as escaped text with a bounded length."""
    plain = value if isinstance(value, str) else _REPR.repr(value)
    if len(plain) > most:
        half = most // 2
        plain = f"{plain[:half]} [... {len(plain) - 2 * half} characters left out ...] {plain[-half:]}"
    return escape(printable(_ANSI.sub("", plain), keep="\n\t"))


def block(value: object, *, is_error: bool = False) -> str:
    """Return a text with its lines."""
    return f'<pre style="{_PRE}{_RED if is_error else ""}">{text(value, LONGEST_TEXT)}</pre>'


def output(stdout: str, stderr: str) -> str:
    """Return the output of a program."""
    return (block(stdout) if stdout else "") + (block(stderr, is_error=True) if stderr else "")


def titled(title: str, *parts: str) -> str:
    """Return HTML under a line of text."""
    return f"<div><div><b>{text(title)}</b></div>{''.join(parts)}</div>"


def table(header: Sequence[object], rows: Iterable[Sequence[object]], total: int) -> str:
    """Return the first rows and columns of a table with ``total`` rows."""
    lines = []
    for tag, row in [("th", header), *(("td", row) for row, _ in zip(rows, range(_MOST_ROWS)))]:
        cells = [f"<{tag}>{text('' if cell is None else cell)}</{tag}>" for cell in row[:_MOST_COLUMNS]]
        lines.append(f"<tr>{''.join(cells)}</tr>")
    omitted = [f"{total - _MOST_ROWS} more rows"] if total > _MOST_ROWS else []
    omitted += [f"{len(header) - _MOST_COLUMNS} more columns"] if len(header) > _MOST_COLUMNS else []
    return f"<table>{''.join(lines)}</table>" + (block(f"[{', '.join(omitted)}]") if omitted else "")


def image(media_type: str, base64: str) -> str:
    """Return an image. Scripts and links of an SVG have no effect in an ``img``."""
    return f'<img alt="" style="max-width:100%" src="data:{media_type};base64,{base64}">'


def values(items: Sequence[Any]) -> Optional[str]:
    """Return values with a ``_row_``, a dict by names of columns, as a table; ``None`` for any other list."""
    if not items or not all(hasattr(type(item), "_row_") for item in items):
        return None
    rows = (item._row_() for item in items)
    first = next(rows)
    return table([*first], (list(row.values()) for row in itertools.chain([first], rows)), len(items))
