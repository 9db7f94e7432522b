"""The page in ``docs/`` that shows a run: its tables and its plot."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.plots import plot
from benchmarks.registry import BENCHMARKS
from benchmarks.report import Run, from_json
from benchmarks.results import Row, Table
from benchmarks.server import ROOT
from benchmarks.targets import Verdict, verdicts
from benchmarks.text import number, share, times, words

DOCS = ROOT / "docs"
_FIGURES = re.compile(r"(?<=<!-- begin figures -->\n).*(?=<!-- end figures -->)", re.DOTALL)


def write(run: str, folder: Path = DOCS) -> None:
    """Keep a run, as JSON, and show it in the page."""
    (folder / "benchmarks.json").write_text(run, encoding="utf-8")
    render(folder)


def render(folder: Path = DOCS) -> None:
    """Make the page's tables and the plot of the run that is kept."""
    run = from_json((folder / "benchmarks.json").read_text(encoding="utf-8"))
    page = folder / "benchmarks.md"
    shown = _FIGURES.sub(lambda _: figures(run), page.read_text(encoding="utf-8"))
    page.write_text(shown, encoding="utf-8")
    (folder / "benchmarks.svg").write_text(plot(run.tables), encoding="utf-8")


def figures(run: Run) -> str:
    """Return a run in Markdown."""
    parts = [_machine(run), "### Targets", _targets(verdicts(run.tables))]
    for name, tables in itertools.groupby(run.tables, key=lambda table: table.benchmark):
        parts += [f"### {BENCHMARKS[name].heading}", *map(_table, tables)]
    return "\n" + "\n\n".join(parts) + "\n\n"


def _machine(run: Run) -> str:
    facts = run.machine
    packages = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return (
        f"Measured on {run.date[:10]} with {facts['python']} on {facts['system']}, {facts['cores']} cores of "
        f"{facts['processor']}, load average {facts['load']} at the end.\n\nVersions: {packages}."
    )


def _targets(found: Iterable[Verdict]) -> str:
    head = ("what", "to", "measured", "target", "", "moonshot", "")
    return _markdown([head, *map(_verdict, found)])


def _verdict(one: Verdict) -> tuple[str, ...]:
    target = one.target
    sign = "≥" if target.at_least else "≤"
    return (
        f"{target.table}: {target.row}",
        target.reference or "(the figure itself)",
        number(one.value),
        "" if target.limit is None else f"{sign} {number(target.limit)}",
        words(one.met),
        "" if target.moonshot is None else f"{sign} {number(target.moonshot)}",
        words(one.moonshot),
    )


def _table(table: Table) -> str:
    better = "more is better" if table.more_is_better else "less is better"
    to = f"; ratio to {table.reference}" if table.reference else ""
    head = (table.name, f"median, {table.unit}", "ratio", "spread")
    return f"{table.title[0].upper()}{table.title[1:]}; {better}{to}.\n\n" + _markdown(
        [head, *(_cells(table, row) for row in table.rows)]
    )


def _cells(table: Table, row: Row) -> tuple[str, ...]:
    if row.median is None:
        return (row.name, row.note, "", "")
    note = f" ({row.note})" if row.note else ""
    to = f" to {row.reference}" if row.reference else ""
    return (row.name + note, number(row.median), times(table.ratio(row.name)) + to, share(row.spread))


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *rows = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|---" + "|---:" * (len(lines[0]) - 1) + "|", *rows])
