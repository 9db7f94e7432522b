"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from benchmarks import report
from benchmarks.measure import EFFORTS
from benchmarks.server import run_server
from benchmarks.tables import Table


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Run the benchmarks, print their tables, and write the figures to files if asked to."""
    options = _parse(argv)
    tables: dict[str, list[Table]] = {}
    for name in options.names or report.HEADINGS:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        measure = importlib.import_module(f"benchmarks.bench_{name}").measure
        with run_server("benchmarks.server") as url:
            tables[name] = measure(EFFORTS[options.effort], url)
        for table in tables[name]:
            print(report.row_table(table.figures()), end="\n\n", flush=True)
    results = report.describe_run(tables)
    limits = report.all_limits(results)
    print(report.limit_table(limits))
    if options.output:
        report.write(results, options.output)
    if options.docs:
        report.publish(results)
    return int(options.check and any(limit["met"] is False for limit in limits))


def _parse(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Compare the cost of buntime with its peers, in one run."
    )
    names = ", ".join(report.HEADINGS)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{names}; all by default")
    parser.set_defaults(effort="full")
    for name, text in (("quick", "less work and fewer rounds"), ("tiny", "only check that everything runs")):
        parser.add_argument(f"--{name}", dest="effort", action="store_const", const=name, help=text)
    parser.add_argument("--check", action="store_true", help="exit 1 if a limit is exceeded")
    parser.add_argument("--output", metavar="FILE", type=Path, help="write the figures to a JSON file")
    parser.add_argument("--docs", action="store_true", help="update docs/project/benchmarks.{json,md,svg}")
    options = parser.parse_args(argv)
    unknown = ", ".join(sorted(set(options.names) - set(report.HEADINGS)))
    if unknown:
        parser.error(f"unknown benchmark: {unknown}; choose from {names}")
    if options.docs and options.effort != "full":
        parser.error("the benchmarks page shows full runs only: use --docs without --quick and --tiny")
    if options.output and not options.output.absolute().parent.is_dir():
        parser.error(f"--output {options.output}: there is no folder {options.output.absolute().parent}")
    return options


if __name__ == "__main__":
    sys.exit(main())
