"""The commands that change cassettes: ``recover``, ``upgrade``, ``scrub`` and ``prune``."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Callable

from buntime.cli.cassette_check import PROBLEMS_FOUND
from buntime.cli.cassette_files import add_files, files_of
from buntime.cli.connection import add_json, report, show


def add_recover(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``recover``."""
    recover = add_parser(
        "recover",
        help="make a cassette of an interrupted recording",
        description="Make a cassette of the .part file of a recording that was not closed. "
        "The cassette has the name without .part, and must not exist unless --replace is given.",
    )
    recover.add_argument("file", type=Path, metavar="FILE.part", help="the file of the recording")
    recover.add_argument("--replace", action="store_true", help="replace the cassette if there is one")
    add_json(recover)
    recover.set_defaults(action=_recover)


def add_upgrade(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``upgrade``."""
    upgrade = add_parser(
        "upgrade",
        help="rewrite cassettes of an older format",
        description="Rewrite cassettes of an older format in the current one, with the same responses.",
    )
    add_files(upgrade)
    upgrade.set_defaults(action=_upgrade)


def add_scrub(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``scrub``."""
    scrub = add_parser(
        "scrub",
        help="replace secrets in cassettes",
        description="Replace secrets that are in cassettes, from edits by hand for instance, as a recording "
        "would: values that are named like secrets, and the values of variables that --env names. "
        "The exit code is 1 if a well-known key remains.",
    )
    add_files(scrub)
    scrub.add_argument(
        "--env",
        action="append",
        default=[],
        metavar="NAME",
        help="replace the value of this variable of the environment, in all of its forms; may be repeated",
    )
    scrub.set_defaults(action=_scrub)


def add_prune(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``prune``."""
    prune = add_parser(
        "prune",
        help="remove cassettes without a test",
        description="Let pytest collect all tests, and remove the cassettes beside them that no test uses.",
    )
    prune.add_argument(
        "paths", nargs="*", metavar="PATH", help="for pytest; by default as in its configuration"
    )
    prune.add_argument("--dry-run", action="store_true", help="only list them")
    add_json(prune)
    prune.set_defaults(action=_prune)


def _recover(options: argparse.Namespace) -> int:
    from buntime.cassette.journal import recover

    part: Path = options.file
    if part.suffix != ".part":
        raise ValueError(f"{part} is not the .part file of a recording")
    target = part.with_suffix("")
    if target.exists() and not options.replace:
        raise ValueError(f"{target} exists; use --replace to replace it by the interrupted recording")
    cassette = recover(part, target)
    count, missing = len(cassette.interactions), cassette.gaps
    text = f"{target}: {count} interaction{'s' * (count != 1)} recovered"
    text = "\n".join([text, *(f"missing: {reason}" for reason in missing)])
    show(options, {"file": str(target), "interactions": count, "missing": missing}, text)
    return PROBLEMS_FOUND if missing else 0


def _upgrade(options: argparse.Namespace) -> int:
    from buntime.cassette.file import VERSION, load, save

    count = 0
    with report(options) as add:
        for file in files_of(options.files):
            cassette = load(file)
            if cassette.version != VERSION:
                save(file, cassette)
                count += 1
                add(str(file), f"{file}: upgraded")
    if not options.json:
        print(f"{count or 'no'} cassette{'s' * (count != 1)} of an older format")
    return 0


def _scrub(options: argparse.Namespace) -> int:
    from buntime.cassette.file import load, save
    from buntime.cassette.secrets.redactor import scrub, secrets_in

    values = {name: os.environ.get(name, "") for name in options.env}
    missing = sorted(name for name, value in values.items() if not value)
    if missing:
        raise ValueError(f"--env {missing[0]}: the environment has no such variable")
    remaining = changes = 0
    with report(options) as add:
        for file in files_of(options.files):
            before = load(file)
            after = scrub(before, values)
            if after != before:
                save(file, after)
                changes += 1
                add({"file": str(file), "scrubbed": True}, f"{file}: scrubbed")
            for problem in secrets_in(after):
                remaining += 1
                add({"file": str(file), "problem": problem}, f"{file}: {problem}")
    if not options.json:
        print(f"{changes or 'no'} cassette{'s' * (changes != 1)} changed, {remaining or 'nothing'} left")
    return PROBLEMS_FOUND if remaining else 0


def _prune(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="buntime-prune-") as folder:
        listed = Path(folder) / "orphans"
        ran = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly"),
                *(f"--buntime-orphans={listed}", *options.paths),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if ran.returncode not in {0, 5} or not listed.exists():  # 5: there are no tests
            sys.stderr.write(ran.stdout)
            raise ValueError("pytest could not collect all tests, so no cassette was removed")
        orphans = [Path(line) for line in listed.read_text(encoding="utf-8").splitlines()]
    with report(options) as add:
        for orphan in orphans:
            add(os.path.relpath(orphan), os.path.relpath(orphan))
            if not options.dry_run:
                orphan.unlink()
    if not options.json:
        count = f"{len(orphans) or 'no'} cassette{'s' * (len(orphans) != 1)}"
        print(f"{count} without a test" + ("" if options.dry_run else ", removed" if orphans else ""))
    return 0
