"""Paths in requests, and the names that the service uses in a workspace."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

WORKSPACE = "/workspace"
"""The absolute path of a workspace, as code in a session sees it."""

STATE_FOLDER = ".buntime"
"""The folder of a workspace in which helpers keep their state; hidden from lists and counts."""

STAGING_PREFIX = ".~buntime-"
"""The start of names that exist in a workspace only during a write or a removal; hidden too."""

MAX_DEPTH = 100
"""How many folders deep a path may go, and how deep the service looks into a workspace."""

_MAX_NAME = 255
_MAX_PATH = 4000


class PathError(ValueError):
    """A path that cannot be used: it leaves the workspace, or is malformed."""


def normalise(path: str) -> str:
    """Return ``path`` relative to the workspace, ``""`` for the workspace itself.

    Accepts a relative path, or an absolute one below ``/workspace``; ``.``, ``..`` and repeated slashes
    are resolved by text alone. Raises :class:`PathError` if it climbs above the workspace at any
    point, holds a NUL or a lone surrogate, or is too long (4000 bytes, 255 a name, 100 folders deep).
    """
    _check_text(path)
    parts = path.split("/")
    if path.startswith("/"):
        parts = [part for part in parts if part not in {"", "."}]
        if parts[:1] != [WORKSPACE[1:]]:
            raise PathError(f"{path!r} is not below {WORKSPACE}")
        del parts[0]
    result: list[str] = []
    for part in parts:
        if part == "..":
            if not result:
                raise PathError(f"{path!r} leaves {WORKSPACE}")
            result.pop()
        elif part not in {"", "."}:
            result.append(part)
    if len(result) > MAX_DEPTH:
        raise PathError(f"a path may be {MAX_DEPTH} folders deep, this one is {len(result)}")
    return "/".join(result)


def _check_text(path: str) -> None:
    try:
        encoded = path.encode()
    except UnicodeEncodeError as error:
        raise PathError(f"{path!r} is not valid Unicode") from error
    if b"\0" in encoded:
        raise PathError(f"{path!r} holds a NUL")
    if len(encoded) > _MAX_PATH:
        raise PathError(f"a path may have {_MAX_PATH} bytes, this one has {len(encoded)}")
    if any(len(name) > _MAX_NAME for name in encoded.split(b"/")):
        raise PathError(f"a name in a path may have {_MAX_NAME} bytes")


def failure(code: int, path: str) -> OSError:
    """Return the ``OSError`` of an ``errno`` code, such as ``FileNotFoundError``, about ``path``."""
    return OSError(code, os.strerror(code), path)


def check_disjoint(paths: Iterable[str]) -> None:
    """Raise ``NotADirectoryError`` if one of the normalised ``paths`` lies below another."""
    names = set(paths)
    for path in names:
        for parent in parents(path):
            if parent in names:
                raise failure(errno.ENOTDIR, path)


def parents(path: str) -> list[str]:
    """Return the folders above a normalised path, the outermost first, without the workspace itself."""
    parts = path.split("/")
    return ["/".join(parts[:count]) for count in range(1, len(parts))]


def hidden(path: str) -> bool:
    """Return whether a normalised path belongs to the service."""
    return path.startswith(STAGING_PREFIX) or path.partition("/")[0] == STATE_FOLDER
