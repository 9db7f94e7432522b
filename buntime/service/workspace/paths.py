"""Paths as callers of the service write them."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable

WORKSPACE = "/workspace"
"""The absolute path of a workspace, as code in a session sees it."""

STATE_FOLDER = ".buntime"
"""The folder of a workspace that helpers keep their state in; hidden from lists and counts."""

STAGING_PREFIX = ".~buntime-"
"""How names begin that exist in a workspace only while something is written or removed; hidden too."""

_OWN = (STATE_FOLDER, STAGING_PREFIX)

MAX_DEPTH = 100
"""How many folders deep a path may go, and how deep a workspace is looked through."""

_MAX_NAME = 255
_MAX_PATH = 4000


class PathError(ValueError):
    """A path that cannot be used: it leaves the workspace, or is no path at all."""


def normalise(path: str) -> str:
    """Return ``path`` relative to the workspace, ``""`` for the workspace itself.

    Takes a relative path, or an absolute one below ``/workspace``; ``.``, ``..`` and repeated slashes
    are resolved by text alone. Raises :class:`PathError` where it climbs above the workspace at any
    point, holds a NUL or a lone surrogate, or is too long (4000 bytes, 255 a name, 100 folders deep).
    """
    _check_text(path)
    parts = path.split("/")
    if path.startswith("/"):
        parts = _below_workspace(path)
    kept: list[str] = []
    for part in parts:
        if part == "..":
            if not kept:
                raise PathError(f"{path!r} leaves {WORKSPACE}")
            kept.pop()
        elif part not in {"", "."}:
            kept.append(part)
    if len(kept) > MAX_DEPTH:
        raise PathError(f"a path may be {MAX_DEPTH} folders deep, this one is {len(kept)}")
    return "/".join(kept)


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


def _below_workspace(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if parts[:1] != [WORKSPACE[1:]]:
        raise PathError(f"{path!r} is not below {WORKSPACE}")
    return parts[1:]


def failure(code: int, path: str) -> OSError:
    """Return the ``OSError`` of an ``errno`` code, such as ``FileNotFoundError``, about ``path``."""
    return OSError(code, os.strerror(code), path)


def check_disjoint(paths: Iterable[str]) -> None:
    """Raise ``NotADirectoryError`` where one of the normalised ``paths`` lies below another."""
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
    """Return whether a normalised path is the service's own, or below what is."""
    return path.startswith(_OWN) and (
        path.startswith(STAGING_PREFIX) or path.partition("/")[0] == STATE_FOLDER
    )
