"""Writes the table of outcomes into ``docs/project/reliability.md``: ``python -m tests.faults.page``."""

from __future__ import annotations

from pathlib import Path

from tests.faults.fault import Outcome
from tests.faults.table import FAULTS

PAGE = Path(__file__).parents[2] / "docs" / "project" / "reliability.md"
_BEGIN = "<!-- The table is written by: python -m tests.faults.page -->\n"
_END = "<!-- The end of the table -->\n"


def table() -> str:
    """Return the table, with the rows of a stage that have the same outcomes in one."""
    lines = [
        "| where | the service or the network | repeatable calls | executions | if it persists |",
        "|---|---|---|---|---|",
    ]
    stages = list(dict.fromkeys(fault.stage for fault in FAULTS))
    rows: dict[tuple[int, str], list[str]] = {}
    for fault in FAULTS:
        cells = _cells(fault.outcome, fault.outcome_of(streamed=True))
        rows.setdefault((stages.index(fault.stage), cells), []).append(fault.name)
    for (stage, cells), names in sorted(rows.items(), key=lambda row: row[0][0]):
        lines.append(f"| {stages[stage]} | {'; '.join(names)} | {cells} |")
    return "\n".join(lines) + "\n"


def _cells(outcome: Outcome, streamed: Outcome) -> str:
    repeatable = _text(outcome, repeatable=True, persistent=False)
    execution = _text(outcome, repeatable=False, persistent=False)
    of_stream = _text(streamed, repeatable=False, persistent=False)
    if of_stream != execution:
        execution += f"; streamed: {of_stream}"
    return " | ".join([repeatable, execution, _text(outcome, repeatable=True, persistent=True)])


def _text(outcome: Outcome, *, repeatable: bool, persistent: bool) -> str:
    error = outcome.expected(repeatable=repeatable, persistent=persistent)
    if error is not None:
        return f"`{error.__name__}`"
    return "result" if outcome.error is None else "result, by a retry"


def updated(page: str) -> str:
    """Return the page with the current table."""
    before, _, rest = page.partition(_BEGIN)
    return f"{before}{_BEGIN}\n{table()}\n{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
