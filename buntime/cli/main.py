"""The command line: ``buntime run``, ``buntime serve`` and ``buntime cassette``."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Callable

from buntime._http import Transport
from buntime._support.signals import Signalled, ending_signals
from buntime._version import __version__
from buntime.cli.cassette import add_cassette
from buntime.client.client import Buntime
from buntime.errors import BuntimeError, ConfigurationError
from buntime.models import ExecuteRequest

FAILED = 125
"""The exit code where buntime itself failed, so that it is not taken for the program's own."""

_SIGNALLED = 128
_BROKEN_PIPE = 141
_TTL = 3600
_SUFFIXES = frozenset({"", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"})


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    It is the program's own, 125 where buntime failed, 2 for a wrong command line, and 128 and the signal's
    number where a signal ended it, or a pipe that nobody reads any more.
    """
    options = _parser().parse_args(arguments)
    try:
        code: int = options.action(options)
    except BrokenPipeError:
        _drop_output()
        return _BROKEN_PIPE
    except (BuntimeError, OSError, ValueError) as error:
        print(f"buntime: {error}", file=sys.stderr)
        return FAILED
    except Signalled as error:
        return _SIGNALLED + error.number
    except KeyboardInterrupt:
        return _SIGNALLED + signal.SIGINT
    return code


def _drop_output() -> None:
    """Leave nothing to be written to a broken pipe at the end of the program."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for output in (sys.stdout, sys.stderr):
        try:
            output.flush()
        except BrokenPipeError:
            os.dup2(nowhere, output.fileno())
    os.close(nowhere)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="buntime", description="Run JavaScript and TypeScript in isolated Bun sessions."
    )
    parser.add_argument("--version", action="version", version=f"buntime {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_run(commands.add_parser)
    _add_serve(commands.add_parser)
    add_cassette(commands.add_parser)
    return parser


def _add_run(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    run = add_parser(
        "run",
        help="run a file or a piece of code in a new session",
        description="Run a file or a piece of code in a new session, which is deleted afterwards. "
        "Its output is passed on as it comes, and so is its exit code; 125 says that buntime itself failed.",
        epilog="BUNTIME_TRANSPORT says where it runs: http (the service, with BUNTIME_API_KEY) or local.",
    )
    program = run.add_mutually_exclusive_group(required=True)
    program.add_argument("file", nargs="?", metavar="FILE", help="JavaScript or TypeScript; - is stdin")
    program.add_argument("-e", "--eval", metavar="CODE", help="the code itself")
    run.add_argument("arguments", nargs="*", metavar="ARG", help="passed to FILE as its arguments")
    run.add_argument("--local", action="store_true", help="run on this machine: BUNTIME_TRANSPORT=local")
    run.add_argument("--timeout", type=_seconds, metavar="SECONDS", help="the time limit of the program")
    run.add_argument(
        "--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable; may be repeated"
    )
    run.set_defaults(action=_run, refuse=run.error)


def _add_serve(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    serve = add_parser(
        "serve",
        help="serve the API from this machine",
        description="Serve the buntime.sh API from this machine, for clients in any language. "
        "Ctrl-C or SIGTERM ends all executions and removes the sessions' files.",
    )
    serve.add_argument("--host", default="127.0.0.1", help="the address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, default=8000, help="the port; 0 takes a free one (default 8000)")
    serve.add_argument(
        "--api-key",
        metavar="KEY",
        help="the key that clients must send; BUNTIME_SERVE_API_KEY where left out, else none is asked for",
    )
    serve.add_argument("--plan", choices=["free", "paid", "enterprise"], help="enforce that plan's limits")
    serve.add_argument(
        "--executor",
        choices=["bun", "scripted"],
        default="bun",
        help="a real Bun, or the results of --script",
    )
    serve.add_argument("--script", type=Path, metavar="FILE", help="a JSON file with the scripted results")
    serve.add_argument("--isolation", choices=["required", "none"], help="as for the local transport")
    serve.add_argument("--network", action="store_true", help="let sessions reach the network")
    serve.add_argument(
        "--threads", type=int, default=64, help="how many calls at once, streams included (default 64)"
    )
    serve.set_defaults(action=_serve)


def _transport(local: bool) -> Transport | None:
    if not local:
        return None
    from buntime.transport.local import LocalTransport

    return LocalTransport()


def _seconds(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, 1 or more")
    return int(text)


def _request(options: argparse.Namespace) -> ExecuteRequest:
    """Return what to execute: code as it is; a file under its own name, so that errors name it."""
    env = dict(_variable(text) for text in options.env)
    if options.eval is not None:
        return ExecuteRequest(options.eval, env=env, timeout=options.timeout)
    if options.file == "-":
        if options.arguments:
            options.refuse("a program on standard input takes no ARG; name a FILE")
        return ExecuteRequest(sys.stdin.read(), env=env, timeout=options.timeout)
    file = Path(options.file)
    if file.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"{file} is neither JavaScript nor TypeScript by its name: {_known_suffixes()}")
    try:
        content = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file} is not UTF-8 text: {error}") from None
    command = ["bun", "run", f"./{file.name}", *options.arguments]
    return ExecuteRequest(
        command=shlex.join(command), files={file.name: content}, env=env, timeout=options.timeout
    )


def _known_suffixes() -> str:
    return ", ".join(sorted(_SUFFIXES - {""}))


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--env takes NAME=VALUE, not {text!r}")
    return name, value


def _run(options: argparse.Namespace) -> int:
    with ending_signals():
        request = _request(options)
        with Buntime(transport=_transport(options.local)) as client:
            return _passed_on(client, request)


def _passed_on(client: Buntime, request: ExecuteRequest) -> int:
    """Run the request in a new session, pass its output on, and return its exit code."""
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


def _serve(options: argparse.Namespace) -> int:
    # The service is imported where it is served: running code needs none of it.
    from buntime.service.server.serve import ServeError, make_executor, serve

    if (options.executor == "scripted") != (options.script is not None):
        raise ConfigurationError("--executor scripted and --script FILE go together")
    try:
        serve(
            make_executor(script=options.script, isolation=options.isolation, network=options.network),
            host=options.host,
            port=options.port,
            api_key=os.environ.get("BUNTIME_SERVE_API_KEY") if options.api_key is None else options.api_key,
            plan=options.plan,
            threads=options.threads,
            ready=lambda url: print(f"buntime serves on {url} (Ctrl-C ends it)", flush=True),
        )
    except ServeError as error:
        raise ConfigurationError(str(error)) from error
    return 0
