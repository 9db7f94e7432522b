"""``buntime devbox``: Runloop's daily calls."""

from __future__ import annotations

import argparse
import os
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from buntime._support.terminal import printable
from buntime.cli.connection import (
    AddParser,
    add_command,
    add_connection,
    add_json,
    as_utf8,
    print_content,
    seconds,
    show,
    variables,
    write,
)
from buntime.cli.exit_codes import FAILED, TIMED_OUT
from buntime.cli.terminal import print_error, table
from buntime.errors import APITimeoutError, WaitTimeoutError

if TYPE_CHECKING:
    from buntime.runloop import Devbox, RunloopSDK

_ENDS = (
    "devboxes of the local transport end with the command that made them; to keep them, start "
    "`buntime serve`, unset RUNLOOP_TRANSPORT (leave out --local), and set "
    "RUNLOOP_BASE_URL=http://127.0.0.1:8000 and RUNLOOP_API_KEY to any text"
)


def add_devbox(add_parser: AddParser) -> None:
    """Add ``devbox`` and its commands to the command line."""
    group = add_parser("devbox", help="create, use and shut down devboxes of Runloop")
    commands = group.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, action: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        parser = add_command(commands.add_parser, name, action, text)
        add_connection(parser, "RUNLOOP_TRANSPORT")
        return parser

    create = add("create", _create, "create a devbox, wait until it runs, and print its id")
    create.add_argument("--name")
    create.add_argument("--blueprint", metavar="NAME", help="start from the latest blueprint with this name")
    create.add_argument("--snapshot", metavar="ID", help="start from a snapshot")
    create.add_argument("--metadata", action="append", default=[], metavar="NAME=VALUE")
    add("list", _list, "list devboxes").add_argument("--status", help="only those in this state")
    run = add("exec", _exec, "run a command in a devbox, by default a new one that is shut down afterwards")
    run.add_argument("--devbox", metavar="ID", help="the devbox")
    run.add_argument("--timeout", type=seconds, metavar="SECONDS", help="how long to wait; 600 by default")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND [ARG ...]")
    for name, text in (
        ("info", "show a devbox"),
        ("logs", "print the log of a devbox"),
        ("suspend", "suspend a devbox"),
        ("resume", "resume a devbox"),
        ("shutdown", "shut a devbox down"),
    ):
        add(name, _call, text).add_argument("id", metavar="ID")
    read = add("read", _read, "print a file of a devbox")
    upload = add("write", _write, "upload a file into a devbox")
    for parser in (read, upload):
        parser.add_argument("id", metavar="ID")
        parser.add_argument("path", metavar="PATH", help="the path in the devbox")
    upload.add_argument("source", type=Path, metavar="LOCAL", help="a file of this machine")
    for parser in commands.choices.values():
        add_json(parser)


def _client() -> RunloopSDK:
    from buntime.runloop import RunloopSDK

    return RunloopSDK()


def _existing(runloop: RunloopSDK, devbox_id: str) -> Devbox:
    if os.environ.get("RUNLOOP_TRANSPORT", "") == "local":
        raise ValueError(_ENDS)
    return runloop.devbox.from_id(devbox_id)


def _create(options: argparse.Namespace) -> int:
    if os.environ.get("RUNLOOP_TRANSPORT", "") == "local":
        raise ValueError(_ENDS)
    if options.blueprint and options.snapshot:
        options.parser.error("--blueprint and --snapshot exclude each other")
    fields = {
        "name": options.name,
        "blueprint_name": options.blueprint,
        "snapshot_id": options.snapshot,
        "metadata": variables(options.metadata, "--metadata") or None,
    }
    with _client() as runloop:
        devbox = runloop.devbox.create(**{name: value for name, value in fields.items() if value})
        return show(options, devbox.get_info().to_dict(), printable(devbox.id))


def _list(options: argparse.Namespace) -> int:
    filters = {"status": options.status} if options.status else {}
    with _client() as runloop:
        views = [devbox.get_info() for devbox in runloop.devbox.list(**filters)]
    rows = [(view.id, view.status, view.name or "") for view in views]
    return show(
        options, [view.to_dict() for view in views], table([("ID", "STATUS", "NAME"), *rows], header=True)
    )


def _exec(options: argparse.Namespace) -> int:
    words = as_utf8(options.command[1:] if options.command[:1] == ["--"] else options.command)
    if not words:
        options.parser.error("give a command after --")
    command = words[0] if len(words) == 1 else shlex.join(words)
    with _client() as runloop:
        if options.devbox:
            return _execute(_existing(runloop, options.devbox), command, options)
        with runloop.devbox.create() as devbox:
            return _execute(devbox, command, options)


def _execute(devbox: Devbox, command: str, options: argparse.Namespace) -> int:
    stdout, stderr = (None if options.json else partial(write, kind) for kind in ("stdout", "stderr"))
    try:
        result = devbox.cmd.exec(command, stdout=stdout, stderr=stderr, timeout=options.timeout or 600)
    except (APITimeoutError, WaitTimeoutError):
        print_error("the command did not end within its --timeout")
        return TIMED_OUT
    if options.json:
        fields = {"stdout": result.stdout(), "stderr": result.stderr(), "exit_code": result.exit_code}
        show(options, fields, "")
    return FAILED if result.exit_code is None else result.exit_code


def _call(options: argparse.Namespace) -> int:
    name = options.parser.prog.split()[-1]
    with _client() as runloop:
        devbox = _existing(runloop, options.id)
        view = getattr(devbox, "get_info" if name == "info" else name)()
    value = view.to_dict()
    if name == "logs":
        lines = "\n".join(str(log.get("message", log)) for log in value.get("logs", ()))
        return show(options, value, printable(lines, keep="\n\t"))
    return show(options, value, table([*value.items()]))


def _read(options: argparse.Namespace) -> int:
    with _client() as runloop:
        content = _existing(runloop, options.id).file.download(path=options.path)
    print_content(options, [(options.path, content)])
    return 0


def _write(options: argparse.Namespace) -> int:
    with _client() as runloop, open(options.source, "rb") as file:
        _existing(runloop, options.id).file.upload(path=options.path, file=file)
    return show(options, {"written": options.path}, "")
