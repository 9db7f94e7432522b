"""The command line: ``buntime cassette show``, ``view``, ``diff``, ``check`` and what changes cassettes."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Callable

from buntime.cli.cassette_check import add_check
from buntime.cli.cassette_edit import add_prune, add_recover, add_scrub, add_upgrade
from buntime.cli.cassette_files import add_files, files_of
from buntime.cli.connection import add_json, report, show
from buntime.errors import CassetteError

DIFFERENT = 1
"""The exit code of a comparison that found a difference."""


def add_cassette(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``cassette`` and its commands to the command line."""
    text = "show, compare, check, repair or remove recordings"
    cassette = add_parser("cassette", help=text, description=f"{text.capitalize()}.")
    commands = cassette.add_subparsers(required=True, metavar="COMMAND")
    for add in (_add_show, _add_view, _add_diff, add_check, add_scrub, add_recover, add_upgrade, add_prune):
        add(commands.add_parser)


def _add_show(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add_parser(
        "show",
        help="list the interactions of a cassette",
        description="List the interactions of cassettes, and of the .part file of an interrupted recording.",
    )
    add_files(parser)
    parser.add_argument(
        "--textconv",
        action="store_true",
        help="leave out the name of the file, as git compares temporary files",
    )
    parser.set_defaults(action=_show)


def _add_view(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    view = add_parser(
        "view",
        help="show a cassette in a browser",
        description="Write a page that shows a cassette: its calls on a time line, code, output and files. "
        "The page is one HTML file, which needs no network.",
    )
    view.add_argument("file", type=Path, metavar="FILE", help="a cassette, or the .part file of a recording")
    view.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT.html",
        help="the page; by default a temporary file, which is opened",
    )
    add_json(view)
    view.set_defaults(action=_view)


def _add_diff(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    diff = add_parser(
        "diff",
        help="compare two cassettes",
        description="Print how a cassette differs from an older one. Times, measurements, ids and the order "
        "of interactions are not a difference. The exit code is 1 if there is one.",
    )
    for name in ("old", "new"):
        diff.add_argument(name, type=Path, metavar=name.upper())
    add_json(diff)
    diff.set_defaults(action=_diff)


def _show(options: argparse.Namespace) -> int:
    from buntime.cassette.file import load
    from buntime.cassette.show import listing

    for file in files_of(options.files):
        try:
            cassette = load(file)
        except CassetteError:
            if not options.textconv:
                raise
            # If this fails, git shows no difference at all, of a file with a merge conflict for instance.
            sys.stdout.write(file.read_text(encoding="utf-8", errors="replace"))
            continue
        if options.json:
            interactions = [dict(interaction.data) for interaction in cassette.interactions]
            changed = cassette.changed.isoformat()
            print(json.dumps({"file": str(file), "changed": changed, "interactions": interactions}))
            continue
        lines = listing(cassette, str(file))
        if options.textconv:
            next(lines)
        for line in lines:
            sys.stdout.write(f"{line}\n")
    return 0


def _view(options: argparse.Namespace) -> int:
    from buntime.cassette.file import load
    from buntime.cassette_view import render_page

    page = render_page(load(options.file), options.file.name)
    if options.output is not None:
        options.output.write_text(page, encoding="utf-8")
        return show(options, {"page": str(options.output)}, "")
    import tempfile
    import webbrowser

    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="buntime-", suffix=".html", delete=False
    ) as file:
        file.write(page)
    webbrowser.open(Path(file.name).as_uri())
    return show(options, {"page": file.name}, file.name)


def _diff(options: argparse.Namespace) -> int:
    from buntime.cassette.diff import compare
    from buntime.cassette.file import load

    lines = compare(load(options.old), load(options.new))
    with report(options) as add:
        for line in lines:
            add(line, line)
    return DIFFERENT if lines else 0
