"""Patterns of files that a transfer leaves alone.

They become one regular expression of a form that Python and JavaScript read alike, as both sides use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable, Union

from buntime import _checks
from buntime.entries import NOTHING_IGNORED

_SYNTAX = set("\\^$.*+?()[]{}|/")


def expression(patterns: Union[str, Iterable[str]]) -> str:
    """Return the regular expression that whole paths match where one of the ``patterns`` does.

    A path is relative to the folder of the transfer, with a slash at the end where it is a folder.
    ``ValueError`` for a pattern without a meaning.
    """
    given = [patterns] if isinstance(patterns, str) else list(patterns)
    found = [_one(_checks.text("ignore: a pattern", pattern)) for pattern in given]
    return "|".join(found) if found else NOTHING_IGNORED


def matcher(ignore: str) -> Callable[[str], bool]:
    """Return whether a path matches an :func:`expression`."""
    compiled = re.compile(ignore)
    return lambda path: compiled.fullmatch(path) is not None


def _one(pattern: str) -> str:
    body = pattern.rstrip("/").lstrip("/")
    if not body:
        raise ValueError(f"ignore holds the pattern {pattern!r}, which names nothing")
    if pattern.startswith("!"):
        raise ValueError(f"ignore holds the pattern {pattern!r}; exceptions with '!' are not supported")
    anchored = "/" in pattern.rstrip("/")
    start = "" if anchored else "(?:[^/]+/)*"
    end = "/" if pattern.endswith("/") else "/?"
    return f"{start}{_translated(body)}{end}"


def _translated(body: str) -> str:
    made = []
    position = 0
    while position < len(body):
        rest = body[position:]
        bracket = re.match(r"\[(!?)(\]?[^\]/]+)\]", rest)
        if rest.startswith("**/"):
            made.append("(?:[^/]+/)*")
            position += 3
        elif rest.startswith("**"):
            made.append("[\\s\\S]*")
            position += 2
        elif rest[0] == "*":
            made.append("[^/]*")
            position += 1
        elif rest[0] == "?":
            made.append("[^/]")
            position += 1
        elif bracket:
            inside = "".join(_escaped(character) for character in bracket[2])
            made.append(f"[^/{inside}]" if bracket[1] else f"[{inside}]")
            position += len(bracket[0])
        else:
            made.append(_escaped(rest[0]))
            position += 1
    return "".join(made)


def _escaped(character: str) -> str:
    return f"\\{character}" if character in _SYNTAX else character
