"""The command line: ``buntime run``, ``buntime serve`` and ``buntime cassette``."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence

from buntime._support.signals import Signalled
from buntime._support.terminal import printable
from buntime._version import __version__
from buntime.cli.cassette import add_cassette
from buntime.cli.exit_codes import BROKEN_PIPE, FAILED, SIGNALLED
from buntime.cli.run import add_run
from buntime.cli.serve import add_serve
from buntime.errors import BuntimeError, CassetteError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    It is the program's exit code, 125 if buntime failed, 2 for a wrong command line, 128 plus the signal's
    number if a signal ended it, and 141 if the output has no reader any more.
    """
    _use_utf8()
    options = _parser().parse_args(arguments)
    try:
        code: int = options.action(options)
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    except (BuntimeError, OSError, ValueError) as error:
        # The differences in a cassette are lines; other messages are one line, whatever the service sent.
        keep = "\n" if isinstance(error, CassetteError) else ""
        print(f"buntime: {printable(str(error), keep=keep)}", file=sys.stderr)
        return FAILED
    except Signalled as error:
        return SIGNALLED + error.number
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    return code


def _use_utf8() -> None:
    """Read and write UTF-8 whatever the locale: a program's output must not fail on its way to a pipe."""
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(encoding="utf-8", errors="backslashreplace")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="strict")


def _discard_output() -> None:
    """Leave nothing to be written to a broken pipe at the end of the program."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    for output in (sys.stdout, sys.stderr):
        try:
            output.flush()
        except BrokenPipeError:
            os.dup2(devnull, output.fileno())
    os.close(devnull)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="buntime", description="Run JavaScript and TypeScript in isolated Bun sessions."
    )
    parser.add_argument("--version", action="version", version=f"buntime {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_run(commands.add_parser)
    add_serve(commands.add_parser)
    add_cassette(commands.add_parser)
    return parser
