"""The files in a folder, and those that match a pattern."""

from __future__ import annotations

import itertools
from typing import Callable

from buntime.calls.files import FileCalls
from buntime.errors import InvalidRequestError, InvalidResponseError, SessionFileNotFoundError
from buntime.helpers.ignore import glob_matcher
from buntime.helpers.runner import Helpers
from buntime.helpers.tree import RemoteTree
from buntime.models import FileInfo
from buntime.wire import constants
from buntime.wire.requests import PAGE
from buntime.wire.responses import is_hidden, relative

_MOST_PAGES = 10_000
"""Pages of one folder: a million entries."""


def children(calls: FileCalls, session_id: str, path: str) -> list[FileInfo]:
    """Return the direct children of a folder, sorted by path."""
    files: dict[str, FileInfo] = {}
    offset = 0
    for _ in range(_MOST_PAGES):
        page = calls.list_page(session_id, path, offset)
        offset += len(page)
        new = {item.path: item for item in page if item.path not in files}
        files.update(new)
        # A service that ignores the offset returns the same page for ever.
        if len(page) < PAGE or not new:
            return [files[name] for name in sorted(files) if not is_hidden(name)]
    raise InvalidResponseError(
        f"the folder {path!r} has more than {_MOST_PAGES:,} pages of entries; "
        "use list(recursive=True), which does not read pages"
    )


def descendants(helpers: Helpers, session_id: str, path: str) -> list[FileInfo]:
    """Return everything below a folder, sorted by path."""
    tree = RemoteTree.read(helpers, session_id, path)
    if tree.root is None:
        raise SessionFileNotFoundError(
            f"the session has no folder {path!r}", code=constants.FILE_NOT_FOUND, path=path
        )
    if tree.root.type != "directory":
        raise InvalidRequestError(f"{path!r} is a file, not a folder", code=constants.INVALID_REQUEST)
    return [entry.info(relative(path)) for entry in tree.entries.values()]


def parse_pattern(pattern: str) -> tuple[str, bool, Callable[[FileInfo], bool]]:
    """Return the folder in which a pattern can match, whether also below it, and whether a file matches."""
    names = relative(pattern)
    is_outside = pattern.startswith("/") and not f"{pattern}/".startswith(f"{constants.WORKSPACE}/")
    if is_outside or ".." in names.split("/"):
        raise ValueError(f"pattern is {pattern!r}, which may lead outside the workspace")
    slash = "/" if pattern.endswith("/") else ""
    matches = glob_matcher(f"{names}{slash}", passed=pattern)
    *folders, last = names.rstrip("/").split("/")
    fixed = list(itertools.takewhile(lambda name: not set("*?[") & set(name), folders))
    is_recursive = len(fixed) < len(folders) or "**" in last
    return "/".join(fixed), is_recursive, lambda file: matches(file.path + slash * (file.type == "directory"))
