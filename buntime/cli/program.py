"""The commands, and how each of them ends."""

from __future__ import annotations

import argparse
import difflib
import functools
import importlib
import io
import os
import re
import signal
import string
import sys
from collections.abc import Sequence
from typing import Any, NoReturn, Optional

from buntime._support.signals import Signalled, ending_signals
from buntime._support.terminal import printable
from buntime._version import __version__
from buntime.cli.completion import complete
from buntime.cli.connection import selected_transport
from buntime.cli.exit_codes import BROKEN_PIPE, FAILED, SIGNALLED
from buntime.cli.terminal import print_error
from buntime.errors import BuntimeError, CassetteError

_COMMANDS = {
    "run": "run",
    **dict.fromkeys(("exec", "session", "snapshot", "ps", "logs", "kill"), "session"),
    "shell": "shell",
    "files": "files",
    "serve": "serve",
    "cassette": "cassette",
    "devbox": "devbox",
    "mcp": "mcp",
    "doctor": "doctor",
    "completion": "completion",
}
"""The module of each command, whose function ``add_<module>`` adds it: a command imports no other one's."""
_EXAMPLES = """\
examples:
  buntime run --local report.ts 2024      a program with the files beside it, on this machine
  buntime run -e 'console.log(1 + 1)'     a piece of code, on the service (BUNTIME_API_KEY)
  buntime exec --local -- ls -la /        a command in a new session
  buntime serve                           the API on this machine, for clients in any language
  buntime doctor                          check the configuration, Bun and the sandbox
"""
# Hints of errors for users of Python, and for those of the command line.
_IN_PYTHON = (
    (r" or pass \w+=", ""),
    (r"set \w+_TRANSPORT=local\)", "add --local)"),
    (r"files\.list\(\)", "buntime files ls"),
)


class Parser(argparse.ArgumentParser):
    """A parser whose errors name the nearest command or option."""

    def error(self, message: str) -> NoReturn:
        """Print the error in a line, with a suggestion, and exit with code 2."""
        wrong = re.search(r"invalid choice: '?([^' ]+)|unrecognized arguments: (\S+)", message)
        if wrong:
            names = re.findall(r"[\w-]+", message.partition("choose from")[2])
            names += re.findall(r"--[a-z][a-z-]+", self.format_help())
            near = difflib.get_close_matches((wrong[1] or wrong[2]).partition("=")[0], names, n=1)
            if near and wrong[1]:
                message = f"there is no {wrong[1]!r}"
            message += f"; did you mean {near[0]}?" if near else ""
        self.exit(2, f"{self.prog}: {printable(message)}; see {self.prog} --help\n")


def run(words: Sequence[str]) -> int:
    """Run a command line, as :func:`buntime.cli.main.main` describes."""
    _open_missing_streams()
    _use_utf8()
    parser = _parser(words[0] if words and words[0] in _COMMANDS else None)
    complete(parser)
    if not words:
        parser.print_help()
        return 0
    options, unknown = parser.parse_known_args(words)
    if unknown:
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        with ending_signals(), selected_transport(options):
            code: int = options.action(options)
            sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    except (BuntimeError, OSError, ValueError) as error:
        # The differences in a cassette are lines; other messages are one line, whatever the service sent.
        keep = "\n" if isinstance(error, CassetteError) else ""
        print_error(printable(_message(error, options), keep=keep))
        return FAILED
    except Signalled as error:
        return SIGNALLED + error.number
    except KeyboardInterrupt:
        return SIGNALLED + signal.SIGINT
    return code


def _message(error: Exception, options: argparse.Namespace) -> str:
    """Return the text of an error, with the options of the command in place of arguments of Python."""
    if isinstance(error, OSError) and not isinstance(error, BuntimeError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    text = str(error)
    for pattern, replacement in _IN_PYTHON:
        text = re.sub(pattern, replacement, text)
    if getattr(options, "transport", None) is not None and text.startswith(options.variable):
        return f"--transport{text[len(options.variable) :]}"
    # The messages of checks begin with the name of the argument, which is that of the option.
    name = text[: len(text) - len(text.lstrip(string.ascii_lowercase + "_"))]
    option = f"--{name.replace('_', '-')}"
    if name and re.search(rf"{option}[ ,]", options.parser.format_help()):
        text = option + text[len(name) :].replace(f"{name}=", f"{option} ")
    return text


def _open_missing_streams() -> None:
    """Replace standard streams that the caller closed: without them, each print would fail."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 - it is open until the exit
            setattr(sys, name, stream)


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


@functools.cache
def _parser(command: Optional[str] = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line, or of one that begins with this command."""
    parser = Parser(
        prog="buntime",
        description="Run JavaScript, TypeScript and commands in isolated sandboxes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"buntime {__version__}")
    parser.set_defaults(parser=parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add_parser(name: str, **texts: Any) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, allow_abbrev=False, **texts)
        added.set_defaults(parser=added)
        return added

    for module in dict.fromkeys(_COMMANDS.values() if command is None else [_COMMANDS[command]]):
        getattr(importlib.import_module(f"buntime.cli.{module}"), f"add_{module}")(add_parser)
    return parser
