"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, Optional

from benchmarks import calls, cassettes, first, flat, imports, local, streams, text, threads, transfers
from benchmarks.measuring import FULL, QUICK, Effort, say
from benchmarks.report import report
from benchmarks.results import Table
from benchmarks.targets import verdicts

BENCHMARKS: dict[str, Callable[[Effort], list[Table]]] = {
    "import": imports.measure,
    "first": first.measure,
    "calls": calls.measure,
    "streams": streams.measure,
    "transfers": transfers.measure,
    "cassettes": cassettes.measure,
    "local": local.measure,
    "threads": threads.measure,
    "flat": flat.measure,
}


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Measure what is asked for, print it, and write it down."""
    options = _parser().parse_args(argv)
    effort = QUICK if options.quick else FULL
    tables = []
    for name in options.names or BENCHMARKS:
        say(f"measuring: {name}")
        for table in BENCHMARKS[name](effort):
            tables.append(table)
            print(text.of_table(table), flush=True)
    found = verdicts(tables)
    print(text.of_verdicts(found))
    if options.output:
        written = json.dumps(report(tables, found, quick=options.quick), indent=1)
        Path(options.output).write_text(written + "\n", encoding="utf-8")
    return int(options.check and any(one.met is False for one in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Measure what buntime costs beside its peers, in one run."
    )
    parser.add_argument(
        "names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS)
    )
    parser.add_argument("--quick", action="store_true", help="smaller amounts and fewer rounds")
    parser.add_argument("--output", metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is not met")
    return parser


if __name__ == "__main__":
    sys.exit(main())
