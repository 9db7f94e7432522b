"""The command line: ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from benchmarks import pages, text
from benchmarks.measuring import say
from benchmarks.registry import BENCHMARKS, EFFORTS, measured, run_of
from benchmarks.report import to_json
from benchmarks.results import Table
from benchmarks.targets import verdicts


def main(argv: Optional[Sequence[str]] = None) -> int:
    """Measure what is asked for, print it, and write it down."""
    options = _options(argv)
    if options.render:
        pages.render()
        return 0
    tables: tuple[Table, ...] = ()
    for name in options.names or BENCHMARKS:
        say(f"measuring: {name}")
        found = measured(name, EFFORTS[options.effort])
        tables += found
        print("\n".join(text.of_table(table) for table in found), flush=True)
    judged = verdicts(tables)
    print(text.of_verdicts(judged))
    written = to_json(run_of(tables, options.effort))
    if options.output:
        Path(options.output).write_text(written, encoding="utf-8")
    if options.docs:
        pages.write(written)
    return int(options.check and any(one.met is False for one in judged))


def _options(argv: Optional[Sequence[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description="Measure what buntime costs beside its peers, in one run."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all if none is named"
    )
    parser.set_defaults(effort="full")
    for name, what in (("quick", "smaller amounts, fewer rounds"), ("tiny", "only to see that it runs")):
        parser.add_argument(f"--{name}", dest="effort", action="store_const", const=name, help=what)
    parser.add_argument("--output", metavar="FILE", help="write the figures as JSON")
    parser.add_argument("--check", action="store_true", help="exit 1 where a target is not met")
    parser.add_argument("--docs", action="store_true", help="put the figures of a whole run into docs/")
    parser.add_argument("--render", action="store_true", help="measure nothing; make the page of docs/ anew")
    options = parser.parse_args(argv)
    unknown = set(options.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    if options.docs and (options.names or options.effort != "full"):
        parser.error("--docs takes a whole run: name no benchmark, and say neither --quick nor --tiny")
    folder = Path(options.output or ".").absolute().parent
    if not folder.is_dir():
        parser.error(f"--output {options.output}: there is no folder {folder}")
    return options


if __name__ == "__main__":
    sys.exit(main())
