"""``buntime files``: the files of a session."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Callable

import attrs

from buntime.cli.connection import (
    AddParser,
    add_command,
    add_connection,
    add_json,
    print_content,
    report,
    show,
)
from buntime.cli.open_session import add_session_option, open_session
from buntime.cli.terminal import table, transfer_progress
from buntime.helpers.transfers import TransferOptions
from buntime.models import FileInfo


def add_files(add_parser: AddParser) -> None:
    """Add ``files`` and its commands to the command line."""
    files = add_parser("files", help="list, read and transfer the files of a session")
    commands = files.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, action: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        parser = add_command(commands.add_parser, name, action, text)
        add_session_option(parser, required=True)
        add_json(parser)
        add_connection(parser)
        return parser

    ls = add("ls", _ls, "list the files of a folder")
    ls.add_argument("path", nargs="?", default="", metavar="PATH")
    ls.add_argument("-r", "--recursive", action="store_true", help="with all folders below it")
    cat = add("cat", _cat, "print files")
    cat.add_argument("paths", nargs="+", metavar="PATH")
    put = add("put", _put, "upload files and folders into a folder, by default the workspace")
    put.add_argument("sources", nargs="+", type=Path, metavar="LOCAL")
    put.add_argument("--to", default="", metavar="FOLDER", help="a folder of the workspace")
    get = add("get", _get, "download files and folders into a folder, by default the current one")
    get.add_argument("paths", nargs="+", metavar="PATH")
    get.add_argument("--to", type=Path, default=Path(), metavar="FOLDER", help="a folder of this machine")
    rm = add("rm", _rm, "delete files")
    rm.add_argument("paths", nargs="+", metavar="PATH")
    rm.add_argument("-r", "--recursive", action="store_true", help="folders, too")
    sync = add("sync", _sync, "make a folder of the session equal to one of this machine")
    sync.add_argument("folder", type=Path, metavar="LOCAL")
    sync.add_argument("path", metavar="PATH")
    sync.add_argument(
        "--down", action="store_true", help="make the local folder equal to that of the session"
    )
    sync.add_argument("--delete", action="store_true", help="delete what exists only at the target")
    sync.add_argument("--ignore", action="append", default=[], metavar="PATTERN", help="leave these alone")


def _name(entry: FileInfo) -> str:
    return entry.path + "/" * (entry.type == "directory")


def _ls(options: argparse.Namespace) -> int:
    with open_session(options) as session:
        entries = session.files.list(options.path, recursive=options.recursive)
    rows = [(e.size, f"{e.modified:%Y-%m-%d %H:%M}" if e.modified else "", _name(e)) for e in entries]
    return show(options, [attrs.asdict(entry) for entry in entries], table(rows) if rows else "")


def _cat(options: argparse.Namespace) -> int:
    with open_session(options) as session:
        print_content(options, ((path, session.files.read_bytes(path)) for path in options.paths))
    return 0


def _put(options: argparse.Namespace) -> int:
    with open_session(options) as session, report(options) as add:
        for local in options.sources:
            target = "/".join(filter(None, (options.to.rstrip("/"), local.resolve().name)))
            with transfer_progress() as progress:
                result = session.files.upload(local, target, progress=progress)
            add({"from": str(local), "to": target, **attrs.asdict(result)}, "")
    return 0


def _get(options: argparse.Namespace) -> int:
    with open_session(options) as session, report(options) as add:
        for path in options.paths:
            target = options.to / Path(path).name
            with transfer_progress() as progress:
                result = session.files.download(path, target, progress=progress)
            add({"from": path, "to": str(target), **attrs.asdict(result)}, "")
    return 0


def _rm(options: argparse.Namespace) -> int:
    with open_session(options) as session, report(options) as add:
        for path in options.paths:
            session.files.delete(path, recursive=options.recursive)
            add(path, "")
    return 0


def _sync(options: argparse.Namespace) -> int:
    with open_session(options) as session, transfer_progress() as progress:
        rules = TransferOptions(delete=options.delete, ignore=options.ignore, progress=progress)
        if options.down:
            result = session.files.download(options.path, options.folder, **rules)
        else:
            result = session.files.upload(options.folder, options.path, **rules)
    text = f"{len(result.transferred)} transferred, {len(result.removed)} deleted"
    return show(options, attrs.asdict(result), text)
