"""Which service a command uses, and how it prints its result."""

from __future__ import annotations

import argparse
import json
import os
import sys
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Callable

AddParser = Callable[..., argparse.ArgumentParser]

_NEW_SESSIONS_END = (
    "sessions of the local transport end with the command that made them, and no other command can use them; "
    "to keep them, start `buntime serve`, unset BUNTIME_TRANSPORT (leave out --local), and set "
    "BUNTIME_BASE_URL=http://127.0.0.1:8000 and BUNTIME_API_KEY to any text"
)


def add_connection(parser: argparse.ArgumentParser, variable: str = "BUNTIME_TRANSPORT") -> None:
    """Add the options that select the transport, which stand for ``variable`` and BUNTIME_NETWORK."""
    group = parser.add_argument_group("where it runs")
    choice = group.add_mutually_exclusive_group()
    choice.add_argument("--local", action="store_true", help=f"on this machine: {variable}=local")
    choice.add_argument(
        "--transport",
        metavar="NAME",
        help=f"http, local, replay:FILE, record:FILE or record+local:FILE, as in {variable}",
    )
    group.add_argument("--network", action="store_true", help="let sandboxes of this machine use the network")
    parser.set_defaults(variable=variable)


def add_command(
    add_parser: AddParser, name: str, action: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    """Add a command of a group; ``text`` is its help, and with a capital its description."""
    description = f"{text[0].upper()}{text[1:]}."
    parser = add_parser(name, allow_abbrev=False, help=text, description=description)
    parser.set_defaults(action=action, parser=parser)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option that prints the result as JSON."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


@contextmanager
def selected_transport(options: argparse.Namespace) -> Iterator[None]:
    """Set the variables that the options of :func:`add_connection` stand for, while a command runs."""
    transport = "local" if getattr(options, "local", False) else getattr(options, "transport", None)
    changes = {} if transport is None else {options.variable: transport}
    if getattr(options, "network", False):
        changes["BUNTIME_NETWORK"] = "1"
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def refuse_local(reason: str = "") -> None:
    """Raise ``ValueError`` if the transport is the local one, whose sessions cannot outlive this command."""
    if os.environ.get("BUNTIME_TRANSPORT", "") == "local":
        raise ValueError(_NEW_SESSIONS_END + reason)


def show(options: argparse.Namespace, value: Any, text: str) -> int:
    """Print ``value`` as JSON if that was asked for, else ``text``, which must be printable, and return 0."""
    if options.json:
        print(json.dumps(value, default=_as_json, ensure_ascii=False))
    elif text:
        print(text)
    return 0


def _as_json(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


@contextmanager
def report(options: argparse.Namespace) -> Iterator[Callable[[Any, str], None]]:
    """Yield a function that is called with each item of a result and its line.

    The line is printed immediately; with ``--json`` the items are, as a list at the end.
    """
    items: list[Any] = []

    def add(item: Any, line: str) -> None:
        if options.json:
            items.append(item)
        elif line:
            print(line)

    try:
        yield add
    finally:
        if options.json:
            show(options, items, "")


def print_content(options: argparse.Namespace, contents: Iterable[tuple[str, bytes]]) -> None:
    """Print files: their bytes, or with ``--json`` a list of ``path`` and ``text``, else ``base64``."""
    with report(options) as add:
        for path, content in contents:
            if not options.json:
                sys.stdout.flush()
                sys.stdout.buffer.write(content)
                sys.stdout.buffer.flush()
                continue
            try:
                add({"path": path, "text": content.decode()}, "")
            except UnicodeDecodeError:
                add({"path": path, "base64": b64encode(content).decode()}, "")


def as_utf8(words: Iterable[str]) -> list[str]:
    """Return text from the command line as UTF-8, whatever the locale that Python decoded it with."""
    return [os.fsencode(word).decode("utf-8", "surrogateescape") for word in words]


def variables(pairs: list[str], option: str = "--env") -> dict[str, str]:
    """Return ``NAME=VALUE`` texts as a dictionary."""
    split: Mapping[str, tuple[str, str, str]] = {pair: pair.partition("=") for pair in as_utf8(pairs)}
    wrong = [pair for pair, (_, equals, _) in split.items() if not equals]
    if wrong:
        raise ValueError(f"{option} takes NAME=VALUE, not {wrong[0]!r}")
    return {name: value for name, _, value in split.values()}


def seconds(text: str) -> int:
    """Return a whole number of seconds, at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of seconds, 1 or more")
    return int(text)


def write(kind: str, text: str) -> None:
    """Pass a piece of a program's output on: it appears immediately."""
    output = sys.stderr if kind == "stderr" else sys.stdout
    output.write(text)
    output.flush()
