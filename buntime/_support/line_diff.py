"""A diff of lines that stays short, however long they are."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Sequence

_LINE_SHOWN, _BEFORE_DIFFERENCE = 200, 80
"""Characters that are shown of a long line, and those of them before its first difference."""
_LONGEST_DIFF = 400
"""Lines of each side that are compared in full: difflib takes a time quadratic in their number."""
_LINES_SHOWN = 7
"""Lines that are shown of each side of a long difference."""


def line_diff(old: list[str], new: list[str], old_name: str, new_name: str) -> Iterator[str]:
    """Yield the lines of a unified diff; of long texts, the lines from the first to the last difference."""
    start = common_lines(old, new)
    end = common_lines(old[start:][::-1], new[start:][::-1])
    if max(len(old), len(new)) - start - end <= _LONGEST_DIFF:
        context = max(0, start - _LONGEST_DIFF)
        stop = max(0, end - _LONGEST_DIFF)
        yield from difflib.unified_diff(
            old[context : len(old) - stop], new[context : len(new) - stop], old_name, new_name, lineterm=""
        )
        return
    yield from (f"--- {old_name}", f"+++ {new_name}")
    for sign, lines in (("-", old), ("+", new)):
        changed = lines[start : len(lines) - end]
        yield from (sign + line for line in changed[:_LINES_SHOWN])
        if len(changed) > _LINES_SHOWN:
            yield f"{sign}... and {len(changed) - _LINES_SHOWN} more lines"


def common_lines(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many lines at the beginning are equal."""
    count = min(len(old), len(new))
    return next((index for index in range(count) if old[index] != new[index]), count)


def shorten_lines(diff: Iterable[str]) -> list[str]:
    """Return a diff with long lines cut; what remains of one that changed is around the first difference."""
    shortened = []
    for is_changed, group in itertools.groupby(diff, key=lambda line: line[:1] in {"-", "+"}):
        lines = list(group)
        old = [line for line in lines if is_changed and line[0] == "-"]
        pairs = zip(old, lines[len(old) :] if old else ())
        starts = [max(0, _first_difference(*pair) - _BEFORE_DIFFERENCE) for pair in pairs]
        for number, line in enumerate(lines):
            index = number if number < len(old) else number - len(old)
            shortened.append(_shorten(line, starts[index] if index < len(starts) else 0))
    return shortened


def _shorten(line: str, start: int) -> str:
    if len(line) <= _LINE_SHOWN:
        return line
    part = line[1 + start : 1 + start + _LINE_SHOWN]
    end = "..." if len(line) > 1 + start + _LINE_SHOWN else ""
    return f"{line[0]}{'...' if start else ''}{part}{end} ({len(line) - 1:,} characters)"


def _first_difference(old: str, new: str) -> int:
    """Return the number of characters after the signs of two lines of a diff that are equal."""
    old, new = old[1:], new[1:]
    position, end = 0, min(len(old), len(new))
    while position < end:
        middle = (position + end + 1) // 2
        if old[position:middle] == new[position:middle]:
            position = middle
        else:
            end = middle - 1
    return position
