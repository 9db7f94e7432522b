"""The files that a command for cassettes works on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from buntime.cli.connection import add_json


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the argument for files and folders."""
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a cassette, or a folder: every .json below it"
    )
    add_json(parser)


def files_of(arguments: Sequence[Path]) -> Iterator[Path]:
    """Yield the cassettes, including those that only an interrupted recording has.

    Raises ``ValueError`` at the end for each argument that has none, so that the others are worked on.
    """
    missing: list[str] = []
    for path in arguments:
        if path.is_dir():
            # A link that leads nowhere is worth a report; a folder or a pipe is not a cassette.
            files = {file for file in path.rglob("*.json") if file.is_file() or file.is_symlink()}
            files.update(part.with_suffix("") for part in path.rglob("*.json.part"))
            missing += [] if files else [f"the folder {path} has no cassettes (*.json)"]
            yield from sorted(files)
        elif path.exists() or path.with_name(f"{path.name}.part").exists():
            yield path
        else:
            missing.append(f"{path} does not exist")
    if missing:
        raise ValueError("; ".join(missing))
