"""Tables and verdicts as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.results import Row, Table
from benchmarks.targets import Verdict


def of_table(table: Table) -> str:
    """Return a table as lines of text."""
    better = "more" if table.more_is_better else "less"
    head = (f"{table.name} [{table.unit}, {better} is better]", "median", "ratio", "spread", "")
    lines = [head, *(_cells(table, row) for row in table.rows)]
    to = f"; ratio to {table.reference}" if table.reference else ""
    return f"{table.title}{to}\n{_aligned(lines)}\n"


def of_verdicts(found: Iterable[Verdict]) -> str:
    """Return the targets and what became of them, as lines of text."""
    head = ("target", "measured", "limit", "", "moonshot", "")
    return _aligned([head, *(_verdict(one) for one in found)])


def number(value: float) -> str:
    """Return a figure with three significant digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:#.3g}"


def times(ratio: float | None) -> str:
    """Return a ratio, two digits of it at least; nothing for none."""
    if ratio is None:
        return ""
    return f"{ratio:.2g}" if ratio < 0.1 else f"{ratio:.2f}" if ratio < 100 else f"{ratio:,.0f}"


def share(spread: float | None) -> str:
    """Return a spread in percent; nothing for none."""
    return "" if spread is None else f"{spread:.0%}"


def words(met: bool | None) -> str:
    """Return what became of a bound."""
    return "" if met is None else "met" if met else "not met"


def _cells(table: Table, row: Row) -> tuple[str, ...]:
    return (
        row.name,
        "" if row.median is None else number(row.median),
        times(table.ratio(row.name)),
        share(row.spread),
        "; ".join(filter(None, (row.note, row.reference and f"ratio to {row.reference}"))),
    )


def _verdict(one: Verdict) -> tuple[str, ...]:
    target = one.target
    what = f"{target.table}: {target.row}" + (f" / {target.reference}" if target.reference else "")
    sign = ">=" if target.at_least else "<="
    return (
        what,
        number(one.value),
        "" if target.limit is None else f"{sign} {number(target.limit)}",
        words(one.met),
        "" if target.moonshot is None else f"{sign} {number(target.moonshot)}",
        words(one.moonshot),
    )


def _aligned(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(len(cell) for cell in column) for column in zip(*lines)]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = (
        cell.ljust(width) if number in {0, len(widths) - 1} else cell.rjust(width)
        for number, (cell, width) in enumerate(zip(cells, widths))
    )
    return "  ".join(["  " + first, *others]).rstrip()
