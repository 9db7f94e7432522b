"""The command line: ``buntime run``."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from buntime._version import __version__
from buntime.client import Buntime
from buntime.errors import BuntimeError
from buntime.models import ExecuteRequest
from buntime.transport.base import Transport

FAILED = 125
"""The exit code where buntime itself failed, so that it is not taken for the program's own."""

_TTL = 3600


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: the program's own, or 125 where buntime failed."""
    options = _parser().parse_args(arguments)
    try:
        request = _request(options)
        with Buntime(transport=_transport(options.local)) as client:
            return _run(client, request)
    except (BuntimeError, OSError, ValueError) as error:
        print(f"buntime: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="buntime", description="Run JavaScript and TypeScript in isolated Bun sessions."
    )
    parser.add_argument("--version", action="version", version=f"buntime {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run a file or a piece of code in a new session",
        description="Run a file or a piece of code in a new session, which is deleted afterwards. "
        "Its output is passed on as it comes, and so is its exit code; 125 says that buntime itself failed.",
        epilog="BUNTIME_TRANSPORT says where it runs: http (the service, with BUNTIME_API_KEY) or local.",
    )
    program = run.add_mutually_exclusive_group(required=True)
    program.add_argument("file", nargs="?", metavar="FILE", help="a JavaScript or TypeScript file; - is stdin")
    program.add_argument("-e", "--eval", metavar="CODE", help="the code itself")
    run.add_argument("arguments", nargs="*", metavar="ARG", help="passed to FILE as its arguments")
    run.add_argument("--local", action="store_true", help="run on this machine: BUNTIME_TRANSPORT=local")
    run.add_argument("--timeout", type=int, metavar="SECONDS", help="the time limit of the program")
    run.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable; may be repeated"
    )
    return parser


def _transport(local: bool) -> Transport | None:
    if not local:
        return None
    from buntime.transport.local import LocalTransport

    return LocalTransport()


def _request(options: argparse.Namespace) -> ExecuteRequest:
    """Return what to execute: code as it is; a file under its own name, so that errors name it."""
    env = dict(_variable(text) for text in options.env)
    if options.eval is not None:
        return ExecuteRequest(options.eval, env=env, timeout=options.timeout)
    if options.file == "-":
        return ExecuteRequest(sys.stdin.read(), env=env, timeout=options.timeout)
    file = Path(options.file)
    try:
        content = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error}") from None
    command = ["bun", "run", f"./{file.name}", *options.arguments]
    return ExecuteRequest(
        command=shlex.join(command), files={file.name: content}, env=env, timeout=options.timeout
    )


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--env takes NAME=VALUE, not {text!r}")
    return name, value


def _run(client: Buntime, request: ExecuteRequest) -> int:
    outputs = {"stdout": sys.stdout, "stderr": sys.stderr}
    with client.sessions.create(ttl=_TTL) as session, session.stream(request) as stream:
        for event in stream:
            output = outputs.get(event.kind, sys.stdout)
            output.write(event.text)
            output.flush()
        if stream.result.timed_out:
            print("buntime: the program reached its time limit; see --timeout", file=sys.stderr)
        code = stream.result.exit_code
    return FAILED if code is None else code
