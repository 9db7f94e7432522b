"""Patterns of files that a transfer ignores.

They become a single regular expression that Python and JavaScript interpret alike, because both sides use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Callable, Union

from buntime import _validate
from buntime.helpers.tree import NOTHING_IGNORED


def expression(patterns: Union[str, Iterable[str]]) -> str:
    """Return a regular expression that matches a complete path if one of the ``patterns`` does.

    A path is relative to the folder of the transfer; that of a folder ends with a slash. ``ValueError`` for
    an invalid pattern.
    """
    each = [patterns] if isinstance(patterns, str) else [*_validate.iterator("ignore", patterns)]
    for pattern in each:
        _validate.text("ignore: a pattern", pattern)
    translated = (_translate(pattern, f"ignore contains the pattern {pattern!r}") for pattern in each)
    return "|".join(translated) or NOTHING_IGNORED


def matcher(ignore: str) -> Callable[[str], bool]:
    """Return a function that tests whether a path matches an :func:`expression`."""
    compiled = re.compile(ignore)
    return lambda path: compiled.fullmatch(path) is not None


def glob_matcher(pattern: str, passed: str) -> Callable[[str], bool]:
    """Return a function that tests whether a path matches a pattern from the top; see :func:`expression`.

    ``passed`` is the pattern of the caller, for errors.
    """
    return matcher(_translate(f"/{pattern}", f"pattern is {passed!r}"))


def _translate(pattern: str, subject: str) -> str:
    """Return a pattern as a regular expression; ``subject`` begins the message of an error."""
    body = pattern.rstrip("/").lstrip("/")
    if not body:
        raise ValueError(f"{subject}, which matches nothing")
    if pattern.startswith("!"):
        raise ValueError(f"{subject}, which is an exception; those are not supported")
    parts = ["" if "/" in pattern.rstrip("/") else "(?:[^/]+/)*"]
    position = 0
    while position < len(body):
        rest = body[position:]
        bracket = re.match(r"\[(!?)(\]?[^\]/]+)\]", rest)
        if rest.startswith("**/"):
            parts.append("(?:[^/]+/)*")
            position += 3
        elif rest.startswith("**"):
            parts.append("[\\s\\S]*")
            position += 2
        elif rest[0] in "*?":
            parts.append("[^/]*" if rest[0] == "*" else "[^/]")
            position += 1
        elif bracket:
            # In a character class, only a dash between two characters is a range.
            inside = re.sub(r"([\s\S])-([\s\S])|([\s\S])", _range_or_character, bracket[2])
            parts.append(f"[^/{inside}]" if bracket[1] else f"[{inside}]")
            position += len(bracket[0])
        else:
            parts.append(_escape(rest[0]))
            position += 1
    parts.append("/" if pattern.endswith("/") else "/?")
    translated = "".join(parts)
    try:
        re.compile(translated)
    except re.error as error:
        raise ValueError(f"{subject}, which is invalid: {error}") from None
    return translated


def _range_or_character(match: re.Match[str]) -> str:
    return _escape(match[3]) if match[3] else f"{_escape(match[1])}-{_escape(match[2])}"


def _escape(character: str) -> str:
    # The only escape that both languages accept for every character.
    special = character.isascii() and not character.isalnum()
    return f"\\x{ord(character):02x}" if special else character
