"""``buntime cassette check``: looks for problems in cassettes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Callable, Optional

from buntime.cli.cassette_files import add_files, files_of
from buntime.cli.connection import report
from buntime.errors import BuntimeError

PROBLEMS_FOUND = 1
"""The exit code of a check that found a problem."""


def add_check(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the command."""
    check = add_parser(
        "check",
        help="look for problems in cassettes",
        description="Look for files that are not cassettes, secrets, interrupted recordings, and old age. "
        "The exit code is 1 if there is a problem, and 125 if a file does not exist.",
    )
    add_files(check)
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
    check.add_argument(
        "--scanner",
        choices=["detect-secrets"],
        help="let this package look for secrets, too, if it is installed",
    )
    check.set_defaults(action=_check)


def _days(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days")
    return int(text)


def _check(options: argparse.Namespace) -> int:
    today = datetime.now(timezone.utc).date()
    scan = _detect_secrets() if options.scanner else None
    checked = count = 0
    try:
        with report(options) as add:
            for file in files_of(options.files):
                problems = [*_problems(file, today, options.max_age, options.allow)]
                if scan is not None and file.is_file():
                    problems += scan(file, options.allow)
                checked += 1
                count += len(problems)
                for problem in problems:
                    add({"file": str(file), "problem": problem}, f"{file}: {problem}")
    finally:
        if checked and not options.json:  # an error that there are no files is all there is to report
            problems_found = f"{count or 'no'} problem{'s' * (count != 1)} found"
            print(f"{checked} cassette{'s' * (checked != 1)} checked, {problems_found}")
    return PROBLEMS_FOUND if count else 0


def _problems(file: Path, today: date, max_age: Optional[int], allow: Sequence[str]) -> Iterator[str]:
    """Yield the problems of a file, in words."""
    from buntime.cassette.file import load
    from buntime.cassette.secrets.redactor import secrets_in

    part = file if file.suffix == ".part" else file.with_name(file.name + ".part")
    if part.exists():
        yield (
            f"an interrupted recording left {part.name}; record it again, remove that file, "
            f"or run: buntime cassette recover {part}"
        )
        if file == part or not file.exists():
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


def _detect_secrets() -> Callable[[Path, Sequence[str]], list[str]]:
    """Return a function that looks for secrets in a file with the package detect-secrets."""
    try:
        package, settings = import_module("detect_secrets"), import_module("detect_secrets.settings")
    except ImportError:
        raise ValueError("--scanner detect-secrets needs the package: pip install detect-secrets") from None

    def scan(file: Path, allow: Sequence[str]) -> list[str]:
        collection = package.SecretsCollection()
        with settings.default_settings():
            collection.scan_file(str(file))
        return [
            f"line {secret.line_number} holds a {secret.type} (by detect-secrets)"
            for _, secret in sorted(collection, key=lambda item: item[1].line_number)
            if not any((secret.secret_value or "").startswith(text) for text in allow)
        ]

    return scan
