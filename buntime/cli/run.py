"""``buntime run``: run a program in a new session."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Callable

from buntime._http import Transport
from buntime._support.signals import ending_signals
from buntime.cli.exit_codes import FAILED
from buntime.client.client import Buntime
from buntime.models import ExecuteRequest

_TTL = 3600
_SUFFIXES = frozenset({"", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"})


def add_run(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Add ``run`` to the command line."""
    parser = add_parser(
        "run",
        help="run a file or a piece of code in a new session",
        description="Run a file or a piece of code in a new session, which is deleted afterwards. "
        "Its output is passed on as it arrives, and so is its exit code; 125 means that buntime failed.",
        epilog="BUNTIME_TRANSPORT selects where it runs: http (the service, with BUNTIME_API_KEY) or local.",
    )
    program = parser.add_mutually_exclusive_group(required=True)
    program.add_argument("file", nargs="?", metavar="FILE", help="JavaScript or TypeScript; - is stdin")
    program.add_argument("-e", "--eval", metavar="CODE", help="the code itself")
    parser.add_argument("arguments", nargs="*", metavar="ARG", help="passed to FILE as its arguments")
    parser.add_argument("--local", action="store_true", help="run on this machine: BUNTIME_TRANSPORT=local")
    parser.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="the time limit of the program")
    parser.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable; may be repeated"
    )
    parser.set_defaults(action=_run, reject=parser.error)


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, 1 or more")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    with ending_signals():
        request = _request(options)
        with (
            Buntime(transport=_transport(options.local)) as client,
            client.sessions.create(ttl=_TTL) as session,
            session.stream(request) as stream,
        ):
            for event in stream:
                output = sys.stderr if event.kind == "stderr" else sys.stdout
                output.write(event.text)
                output.flush()
            if stream.result.timed_out:
                print("buntime: the program reached its time limit; see --timeout", file=sys.stderr)
            code = stream.result.exit_code
    return FAILED if code is None else code


def _transport(local: bool) -> Transport | None:
    if not local:
        return None
    from buntime.transport.local import LocalTransport

    return LocalTransport()


def _request(options: argparse.Namespace) -> ExecuteRequest:
    """Return the execution: of code directly, of a file under its own name, so that errors name it."""
    env = dict(_variable(text) for text in options.env)
    if options.eval is not None:
        return ExecuteRequest(options.eval, env=env, timeout=options.timeout)
    if options.file == "-":
        if options.arguments:
            options.reject("a program on standard input takes no ARG; name a FILE")
        return ExecuteRequest(_read(None), env=env, timeout=options.timeout)
    file = Path(options.file)
    if file.suffix.lower() not in _SUFFIXES:
        known = ", ".join(sorted(_SUFFIXES - {""}))
        raise ValueError(f"{file} is neither JavaScript nor TypeScript by its name: {known}")
    command = shlex.join(["bun", "run", f"./{file.name}", *options.arguments])
    return ExecuteRequest(command=command, files={file.name: _read(file)}, env=env, timeout=options.timeout)


def _read(file: Path | None) -> str:
    try:
        return sys.stdin.read() if file is None else file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file or 'standard input'} is not UTF-8 text: {error}") from None


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--env takes NAME=VALUE, not {text!r}")
    return name, value
