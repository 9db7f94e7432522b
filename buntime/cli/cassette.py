"""The command line: ``buntime cassette show``, ``check``, ``recover`` and ``upgrade``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Callable, Optional

from buntime.errors import BuntimeError

PROBLEMS_FOUND = 1
"""The exit code of a check that found a problem."""


def add_cassette(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``cassette`` and its commands to the command line."""
    cassette = add_parser(
        "cassette",
        help="show, check, recover or upgrade recordings",
        description="Show, check, recover or upgrade recordings.",
    )
    commands = cassette.add_subparsers(required=True, metavar="COMMAND")
    _add_show(commands.add_parser)
    _add_check(commands.add_parser)
    _add_recover(commands.add_parser)
    _add_upgrade(commands.add_parser)


def _add_show(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    show = add_parser(
        "show",
        help="list the interactions of a cassette",
        description="List the interactions of cassettes, and of the .part file of an interrupted recording.",
    )
    _add_files(show)
    show.set_defaults(action=_show)


def _add_check(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    check = add_parser(
        "check",
        help="look for problems in cassettes",
        description="Look for files that are not cassettes, secrets, interrupted recordings, and old age. "
        "The exit code is 1 if there is a problem.",
    )
    _add_files(check)
    check.add_argument(
        "--max-age", type=_days, metavar="DAYS", help="report cassettes that did not change for more days"
    )
    check.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="TEXT",
        help="a text that begins like this is not a secret; may be repeated",
    )
    check.set_defaults(action=_check)


def _add_recover(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    recover = add_parser(
        "recover",
        help="make a cassette of an interrupted recording",
        description="Make a cassette of the .part file of a recording that was not closed. "
        "The cassette has the name without .part, and must not exist unless --replace is given.",
    )
    recover.add_argument("file", type=Path, metavar="FILE.part", help="the file of the recording")
    recover.add_argument("--replace", action="store_true", help="replace the cassette if there is one")
    recover.set_defaults(action=_recover)


def _add_upgrade(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    upgrade = add_parser(
        "upgrade",
        help="rewrite cassettes of an older format",
        description="Rewrite cassettes of an older format in the current one, with the same responses.",
    )
    _add_files(upgrade)
    upgrade.set_defaults(action=_upgrade)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a cassette, or a folder: every .json below it"
    )


def _days(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
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
    count = 0
    for file in files:
        for problem in _problems(file, today, options.max_age, options.allow):
            count += 1
            print(f"{file}: {problem}")
    print(f"{len(files)} cassette{'s' * (len(files) != 1)} checked, {count or 'nothing'} found")
    return PROBLEMS_FOUND if count else 0


def _recover(options: argparse.Namespace) -> int:
    from buntime.cassette.file import recover

    part: Path = options.file
    if part.suffix != ".part":
        raise ValueError(f"{part} is not the .part file of a recording")
    target = part.with_suffix("")
    if target.exists() and not options.replace:
        raise ValueError(f"{target} exists; use --replace to replace it by the interrupted recording")
    count = recover(part, target)
    print(f"{target}: {count} interaction{'s' * (count != 1)} recovered")
    return 0


def _upgrade(options: argparse.Namespace) -> int:
    from buntime.cassette.file import upgrade_file

    upgraded = [file for file in _files(options.files) if upgrade_file(file)]
    for file in upgraded:
        print(f"{file}: upgraded")
    print(f"{len(upgraded) or 'no'} cassette{'s' * (len(upgraded) != 1)} of an older format")
    return 0


def _files(arguments: Sequence[Path]) -> Iterator[Path]:
    for path in arguments:
        if not path.is_dir():
            yield path
            continue
        files = {*path.rglob("*.json"), *(part.with_suffix("") for part in path.rglob("*.json.part"))}
        if not files:
            raise ValueError(f"there is no cassette in {path}")
        yield from sorted(files)


def _problems(file: Path, today: date, max_age: Optional[int], allow: Sequence[str]) -> Iterator[str]:
    """Yield the problems of a file, in words."""
    from buntime.cassette.file import load
    from buntime.cassette.secrets.audit import secrets_in

    part = file.with_name(file.name + ".part")
    if part.exists():
        yield (
            f"an interrupted recording left {part.name}; record it again, remove that file, "
            f"or run: buntime cassette recover {part}"
        )
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
        yield f"it last changed {age} days ago, on {cassette.changed}; verify it, or record it again"
