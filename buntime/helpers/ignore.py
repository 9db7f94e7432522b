"""Patterns of files that a transfer leaves alone.

They become one regular expression of a form that Python and JavaScript read alike, as both sides use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable, Union

from buntime import _validate
from buntime.helpers.tree import NOTHING_IGNORED


def expression(patterns: Union[str, Iterable[str]]) -> str:
    """Return the regular expression that whole paths match where one of the ``patterns`` does.

    A path is relative to the folder of the transfer, with a slash at the end where it is a folder.
    ``ValueError`` for a pattern without a meaning.
    """
    given = [patterns] if isinstance(patterns, str) else list(patterns)
    found = [_checked(_validate.text("ignore: a pattern", pattern)) for pattern in given]
    return "|".join(found) if found else NOTHING_IGNORED


def matcher(ignore: str) -> Callable[[str], bool]:
    """Return whether a path matches an :func:`expression`."""
    compiled = re.compile(ignore)
    return lambda path: compiled.fullmatch(path) is not None


def _checked(pattern: str) -> str:
    try:
        re.compile(made := _one(pattern))
    except re.error as error:
        raise ValueError(f"ignore holds the pattern {pattern!r}, which has no meaning: {error}") from None
    return made


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
            inside = _class(bracket[2])
            made.append(f"[^/{inside}]" if bracket[1] else f"[{inside}]")
            position += len(bracket[0])
        else:
            made.append(_escaped(rest[0]))
            position += 1
    return "".join(made)


def _class(characters: str) -> str:
    """Return the inside of a character class, in which only a dash between two characters is a range."""
    return re.sub(r"([\s\S])-([\s\S])|([\s\S])", _range_or_one, characters)


def _range_or_one(found: re.Match[str]) -> str:
    return _escaped(found[3]) if found[3] else f"{_escaped(found[1])}-{_escaped(found[2])}"


def _escaped(character: str) -> str:
    # The one form of an escape that both languages take for any character.
    special = character.isascii() and not character.isalnum()
    return f"\\x{ord(character):02x}" if special else character
