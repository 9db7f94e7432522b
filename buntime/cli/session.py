"""Commands for sessions: ``exec``, ``session``, ``snapshot``, ``ps``, ``logs`` and ``kill``."""

from __future__ import annotations

import argparse
import json
import shlex

import attrs

from buntime._support.terminal import printable
from buntime.cli.connection import (
    AddParser,
    add_command,
    add_connection,
    add_json,
    as_utf8,
    refuse_local,
    seconds,
    show,
    variables,
    write,
)
from buntime.cli.open_session import add_session_option, open_session
from buntime.cli.run import execute
from buntime.cli.shell import shell
from buntime.cli.terminal import print_error, table
from buntime.client.client import Buntime
from buntime.client.processes import Process
from buntime.client.session import Session
from buntime.models import ExecuteRequest


def add_session(add_parser: AddParser) -> None:
    """Add the commands to the command line."""
    _add_exec(add_parser)
    _add_sessions(add_parser)
    _add_processes(add_parser)


def _add_exec(add_parser: AddParser) -> None:
    command = add_parser(
        "exec",
        help="run a command in a session",
        description="Run a command in a session, by default a new one that is deleted afterwards. One word "
        "is a line of the shell; several words are a program and its arguments.",
    )
    add_session_option(command)
    command.add_argument("--timeout", type=seconds, metavar="SECONDS", help="the time limit of the command")
    command.add_argument("--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable")
    command.add_argument("--working-dir", metavar="PATH", help="a folder of the workspace")
    add_json(command)
    add_connection(command)
    command.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND [ARG ...]")
    command.set_defaults(action=_exec)


def _add_sessions(add_parser: AddParser) -> None:
    group = add_parser("session", help="create, show and delete sessions").add_subparsers(
        required=True, metavar="COMMAND"
    )
    create = group.add_parser("create", help="create a session and print its id")
    create.add_argument("--ttl", type=seconds, metavar="SECONDS", help="its lifetime; 86400 by default")
    create.add_argument(
        "--metadata", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    create.add_argument("--snapshot", metavar="FILE", help="start with the files of a snapshot")
    create.set_defaults(action=_create, parser=create)
    attach = add_command(
        group.add_parser, "attach", shell, "evaluate code in a session, as buntime shell does"
    )
    attach.add_argument("session", metavar="SESSION_ID")
    attach.set_defaults(timeout=None)
    add_connection(attach)
    info = group.add_parser("info", help="show a session")
    delete = group.add_parser("delete", help="delete sessions, with their files")
    for parser, action, count in ((info, _info, None), (delete, _delete, "+")):
        parser.add_argument("ids", metavar="SESSION_ID", nargs=count)
        parser.set_defaults(action=action, parser=parser)
    for parser in (create, info, delete):
        add_json(parser)
        add_connection(parser)


def _add_processes(add_parser: AddParser) -> None:
    snapshot = add_parser("snapshot", help="save the files of a session as a tar archive, or restore them")
    snapshot.add_argument("file", metavar="FILE", help="a local archive; .tar.gz and .tgz are compressed")
    snapshot.add_argument(
        "--restore", action="store_true", help="write the files of the archive to the session"
    )
    snapshot.add_argument(
        "--ignore", action="append", default=[], metavar="PATTERN", help="leave these out; may be repeated"
    )
    add_json(snapshot)
    snapshot.set_defaults(action=_snapshot)
    ps = add_parser("ps", help="list the background processes of a session")
    add_json(ps)
    ps.set_defaults(action=_ps)
    logs = add_parser("logs", help="print the output of a background process")
    logs.add_argument("number", type=int, metavar="NUMBER", help="its number, as printed by ps")
    logs.add_argument("-f", "--follow", action="store_true", help="print what follows, until it ends")
    add_json(logs)
    logs.set_defaults(action=_logs)
    kill = add_parser("kill", help="end processes of a session")
    kill.add_argument("pids", type=int, nargs="*", metavar="PID")
    kill.add_argument("--all", action="store_true", help="end all of them")
    add_json(kill)
    kill.set_defaults(action=_kill)
    for parser in (snapshot, ps, logs, kill):
        add_session_option(parser, required=True)
        add_connection(parser)


def _exec(options: argparse.Namespace) -> int:
    words = as_utf8(options.command[1:] if options.command[:1] == ["--"] else options.command)
    if not words:
        options.parser.error("give a command after --")
    request = ExecuteRequest(
        command=words[0] if len(words) == 1 else shlex.join(words),
        env=variables(options.env),
        timeout=options.timeout,
        working_dir=options.working_dir,
    )
    with open_session(options, new=True) as session:
        return execute(session, request, as_json=options.json)


def _create(options: argparse.Namespace) -> int:
    refuse_local()
    with Buntime() as client:
        metadata = variables(options.metadata, "--metadata")
        session = client.sessions.create(options.ttl, metadata or None, snapshot=options.snapshot)
        value = {"id": session.id, "expires_at": session.expires_at, "preview_url": session.preview_url}
        return show(options, value, printable(session.id))


def _snapshot(options: argparse.Namespace) -> int:
    if options.restore and options.ignore:
        options.parser.error("--restore writes the whole archive: leave out --ignore")
    with open_session(options) as session:
        file = options.file
        result = session.restore(file) if options.restore else session.snapshot(file, ignore=options.ignore)
    for path in result.skipped:
        print_error(f"skipped {printable(path)}: it cannot be {'restored' if options.restore else 'saved'}")
    text = f"{result.files} files of {result.size:,} bytes {'restored' if options.restore else 'saved'}"
    return show(options, attrs.asdict(result), text)


def _info(options: argparse.Namespace) -> int:
    refuse_local()
    with Buntime() as client:
        value = attrs.asdict(client.sessions.info(options.ids))
        rows = [
            (name, json.dumps(field) if isinstance(field, dict) else field) for name, field in value.items()
        ]
        return show(options, value, table([row for row in rows if row[0] != "extra"]))


def _delete(options: argparse.Namespace) -> int:
    refuse_local()
    with Buntime() as client:
        for session_id in options.ids:
            client.sessions.delete(session_id)
    return show(options, {"deleted": options.ids}, "")


def _ps(options: argparse.Namespace) -> int:
    with open_session(options) as session:
        rows = [(each.number, each.pid, each.exit_code) for each in session.processes()]
    value = [dict(zip(("number", "pid", "exit_code"), row)) for row in rows]
    states = [(number, pid, "running" if code is None else f"exit code {code}") for number, pid, code in rows]
    return show(options, value, table([("NUMBER", "PID", "STATE"), *states], header=True))


def _logs(options: argparse.Namespace) -> int:
    with open_session(options) as session:
        process = _numbered(session, options.number)
        if options.follow and options.json:
            process.wait()
        elif options.follow:
            for event in process.follow():
                write(event.kind, event.text)
            return 0
        logs = process.logs()
        if options.json:
            return show(
                options, {"stdout": logs.stdout, "stderr": logs.stderr, "exit_code": process.exit_code}, ""
            )
        write("stdout", logs.stdout)
        write("stderr", logs.stderr)
    return 0


def _numbered(session: Session, number: int) -> Process:
    for process in session.processes():
        if process.number == number:
            return process
    raise ValueError(f"{session.id} has no background process {number}; see buntime ps")


def _kill(options: argparse.Namespace) -> int:
    if bool(options.pids) == options.all:
        options.parser.error("name each PID, or give --all")
    with open_session(options) as session:
        results = [session.kill_all()] if options.all else [session.kill(pid) for pid in options.pids]
    pids = [pid for result in results for pid in result.pids]
    show(options, {"killed": pids}, "\n".join(map(str, pids)))
    if not pids and options.pids:
        print_error("no process has ended; see buntime ps")
    return int(not pids and bool(options.pids))
