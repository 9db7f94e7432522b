"""``buntime shell``: evaluate JavaScript and TypeScript line by line in a session."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

from buntime._support.terminal import printable
from buntime.cli.connection import AddParser, add_connection, seconds, write
from buntime.cli.open_session import add_session_option, open_session
from buntime.cli.terminal import print_error
from buntime.client.repl import Repl
from buntime.errors import BuntimeError, JavaScriptError

_UNFINISHED = ("Unexpected end of file", "Unterminated", 'Expected "}"', 'Expected ")"', 'Expected "]"')
_HISTORY = 1000


def add_shell(add_parser: AddParser) -> None:
    """Add ``shell`` to the command line."""
    parser = add_parser(
        "shell",
        help="evaluate code line by line in a session",
        description="Evaluate JavaScript and TypeScript line by line: variables, functions and imports stay. "
        "A statement ends when its brackets are closed. Ctrl-C ends an evaluation, Ctrl-D the shell.",
    )
    add_session_option(parser)
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="the time limit of an evaluation")
    add_connection(parser)
    parser.set_defaults(action=shell)


def shell(options: argparse.Namespace) -> int:
    """Evaluate the lines of standard input until its end."""
    with open_session(options, new=True) as session, session.repl() as repl, _history():
        if sys.stdin.isatty():
            print(f"{session.id}: Ctrl-D ends the shell")
        pending = ""
        failed = False
        while True:
            try:
                line = _read_line(bool(pending))
            except KeyboardInterrupt:
                pending = ""
                print()
                continue
            if line is None or (not pending and line.strip() == ".exit"):
                return int(failed and not sys.stdin.isatty())
            if not pending and line.strip() == ".help":
                print(
                    "Statements may have several lines. Ctrl-C ends an evaluation, .exit or Ctrl-D the shell."
                )
                continue
            pending += line + "\n"
            ended = _evaluate(repl, pending, options.timeout, final=not line) if pending.strip() else None
            if ended is not None:
                pending = ""
                failed |= not ended


def _read_line(continued: bool) -> Optional[str]:
    if sys.stdin.isatty():
        try:
            return input("... " if continued else "> ")
        except EOFError:
            print()
            return None
    line = sys.stdin.readline()
    return line.rstrip("\n") if line else None


def _evaluate(repl: Repl, code: str, timeout: Optional[int], *, final: bool) -> Optional[bool]:
    """Evaluate code, print its value or error, and return whether it ended well; ``None``: it needs more."""
    try:
        value = repl.eval(
            code,
            timeout=timeout,
            on_stdout=lambda text: write("stdout", text),
            on_stderr=lambda text: write("stderr", text),
        )
    except KeyboardInterrupt:
        outcome = "kept" if repl.process else "lost"
        print(f"interrupted; the state is {outcome}", file=sys.stderr)
    except JavaScriptError as error:
        if not final and any(text in str(error) for text in _UNFINISHED):
            return None
        print(printable(str(error), keep="\n\t"), file=sys.stderr)
    except BuntimeError as error:
        print_error(printable(str(error)))
    else:
        if value is not None:
            print(printable(_text(value), keep="\n\t"))
        return True
    return False


def _text(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, indent=2 if len(repr(value)) > 80 else None)
    except (TypeError, ValueError):
        return repr(value)


@contextlib.contextmanager
def _history() -> Iterator[None]:
    """Edit lines by readline where Python has it, with the lines of earlier shells."""
    try:
        import readline
    except ImportError:
        yield
        return
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "buntime"
    file = folder / "history"
    if not sys.stdin.isatty():
        yield
        return
    with contextlib.suppress(OSError):
        readline.read_history_file(file)
    readline.set_history_length(_HISTORY)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            readline.write_history_file(file)
