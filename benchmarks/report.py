"""A whole run as a value, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs

from benchmarks.results import Row, Table
from benchmarks.targets import Verdict, verdicts


@attrs.frozen
class Run:
    """What was measured, on what, and when."""

    date: str
    effort: str
    machine: dict[str, str]
    versions: dict[str, str]
    tables: tuple[Table, ...]


def to_json(run: Run) -> str:
    """Return a run as JSON, a line for each row and each target."""
    head = {"date": run.date, "effort": run.effort, "machine": run.machine, "versions": run.versions}
    lines = json.dumps(head, indent=1).removesuffix("\n}")
    tables = ",\n".join("".join(_table_lines(table)) for table in run.tables)
    targets = ",\n  ".join(json.dumps(_target(one)) for one in verdicts(run.tables))
    return f'{lines},\n "tables": [\n{tables}\n ],\n "targets": [\n  {targets}\n ]\n}}\n'


def from_json(text: str) -> Run:
    """Return the run that :func:`to_json` wrote."""
    data = json.loads(text)
    tables = tuple(
        Table(
            table["name"],
            table["title"],
            table["unit"],
            table["reference"],
            tuple(_row_of(table, row) for row in table["rows"]),
            table["more_is_better"],
            table["benchmark"],
        )
        for table in data["tables"]
    )
    return Run(data["date"], data["effort"], data["machine"], data["versions"], tables)


def _row_of(table: dict[str, Any], row: dict[str, Any]) -> Row:
    reference = "" if row["reference"] == table["reference"] else row["reference"]
    return Row(row["name"], tuple(row["samples"]), row["note"], reference)


def _table_lines(table: Table) -> Iterator[str]:
    head = {
        "name": table.name,
        "benchmark": table.benchmark,
        "title": table.title,
        "unit": table.unit,
        "more_is_better": table.more_is_better,
        "reference": table.reference,
    }
    yield "  " + json.dumps(head, ensure_ascii=False).removesuffix("}") + ', "rows": [\n    '
    yield ",\n    ".join(json.dumps(_row(table, row), ensure_ascii=False) for row in table.rows) + "]}"


def _row(table: Table, row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "median": _short(row.median),
        "ratio": _short(table.ratio(row.name)),
        "reference": row.reference or table.reference,
        "spread": _short(row.spread),
        "samples": [_short(sample) for sample in row.samples],
        "note": row.note,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def _target(one: Verdict) -> dict[str, Any]:
    target = one.target
    return {
        "table": target.table,
        "row": target.row,
        "reference": target.reference,
        "at_least": target.at_least,
        "measured": _short(one.value),
        "limit": target.limit,
        "met": one.met,
        "moonshot": target.moonshot,
        "moonshot_met": one.moonshot,
    }
