"""The command line: ``buntime cassette show`` and ``buntime cassette check``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Callable, Optional

from buntime.errors import BuntimeError

FOUND = 1
"""The exit code of a check that found something."""


def add_cassette(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``cassette`` and what it can do to the command line."""
    cassette = add_parser(
        "cassette", help="show or check recordings", description="Show or check recordings."
    )
    commands = cassette.add_subparsers(required=True, metavar="COMMAND")
    _add_show(commands.add_parser)
    _add_check(commands.add_parser)


def _add_show(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    show = add_parser(
        "show",
        help="list what a cassette holds",
        description="List the interactions of cassettes, and of the .part file of an interrupted recording.",
    )
    _add_files(show)
    show.set_defaults(action=_show)


def _add_check(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    check = add_parser(
        "check",
        help="look for what is wrong with cassettes",
        description="Look for files that are no cassettes, secrets, interrupted recordings, and old age. "
        "The exit code is 1 where something was found.",
    )
    _add_files(check)
    check.add_argument(
        "--max-age", type=_days, metavar="DAYS", help="find cassettes that did not change for more days"
    )
    check.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="TEXT",
        help="what begins like this is no secret; may be repeated",
    )
    check.set_defaults(action=_check)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a cassette, or a folder: every .json below it"
    )


def _days(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return int(text)


def _show(options: argparse.Namespace) -> int:
    from buntime.cassette.file import load
    from buntime.cassette.show import listing

    for file in _files(options.files):
        for line in listing(load(file), str(file)):
            sys.stdout.write(f"{line}\n")
    return 0


def _check(options: argparse.Namespace) -> int:
    today = datetime.now(timezone.utc).date()
    files = list(_files(options.files))
    found = 0
    for file in files:
        for finding in _findings(file, today, options.max_age, options.allow):
            found += 1
            print(f"{file}: {finding}")
    print(f"{len(files)} cassette{'s' * (len(files) != 1)} checked, {found or 'nothing'} found")
    return FOUND if found else 0


def _files(named: Sequence[Path]) -> Iterator[Path]:
    for path in named:
        if not path.is_dir():
            yield path
            continue
        found = {*path.rglob("*.json"), *(part.with_suffix("") for part in path.rglob("*.json.part"))}
        if not found:
            raise ValueError(f"there is no cassette in {path}")
        yield from sorted(found)


def _findings(file: Path, today: date, max_age: Optional[int], allow: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a file, in words."""
    from buntime.cassette.file import load
    from buntime.cassette.secrets.audit import secrets_in

    part = file.with_name(file.name + ".part")
    if part.exists():
        yield f"an interrupted recording left {part.name}; record it anew, or remove that file"
        if not file.exists():
            return
    try:
        cassette = load(file)
    except BuntimeError as error:
        yield str(error)
        return
    yield from secrets_in(cassette, allow)
    age = (today - cassette.changed).days
    if max_age is not None and age > max_age:
        yield f"it last changed {age} days ago, on {cassette.changed}; verify it, or record it anew"
