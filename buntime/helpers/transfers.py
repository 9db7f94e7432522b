"""The parts that uploads and downloads of folders have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Callable, Optional, TypedDict, Union

from buntime import _validate
from buntime._support.export import export
from buntime.helpers.ignore import expression
from buntime.helpers.local_files import LocalEntry
from buntime.helpers.tree import RemoteEntry
from buntime.models import TransferResult

Progress = Callable[[int, int, str], object]
"""Called with the bytes transferred, the bytes to transfer in total, and the name of the current file."""

PathArgument = Union[str, os.PathLike[str]]

Entries = Mapping[str, Union[RemoteEntry, LocalEntry]]


class TransferOptions(TypedDict, total=False):
    """The keyword arguments of ``upload`` and ``download``.

    ``ignore`` are patterns of files that are neither transferred nor deleted. ``progress`` is called with the
    bytes transferred, the bytes in total, and the name of the file. ``delete`` is whether files that exist
    only at the target are deleted; by default they stay.
    """

    ignore: Union[str, Iterable[str]]
    progress: Optional[Progress]
    delete: bool


def check_options(options: TransferOptions) -> tuple[str, Optional[Progress], bool]:
    """Return the regular expression of ignored paths, the progress callback, and whether to delete."""
    progress = _validate.optional_callable("progress", options.get("progress"))
    delete = _validate.flag("delete", options.get("delete", False))
    return expression(options.get("ignore", ())), progress, delete


class ProgressReporter:
    """Counts bytes for a progress callback."""

    def __init__(self, progress: Optional[Progress], work: Iterable[Union[RemoteEntry, LocalEntry]]) -> None:
        self._progress = progress
        self._total = sum(entry.size for entry in work)
        self._done = 0

    def add(self, size: int, name: str) -> None:
        """Report that ``size`` more bytes are done."""
        self._done += size
        self._total = max(self._total, self._done)  # a file may have grown
        if self._progress is not None:
            self._progress(self._done, self._total, name)


def join_path(folder: str, path: str) -> str:
    """Return the path of an entry of a folder of the session."""
    return f"{folder.rstrip('/')}/{path}" if folder else path


def extra_paths(present: Entries, expected: Entries, *, delete: bool) -> list[str]:
    """Return the present paths to delete: unexpected ones, those of another type, and links.

    Without ``delete`` that is none; ``FileExistsError`` if one is in the way. A link of the session to a file
    of the workspace is not: it acts as that file. What cannot be read is never deleted, and a special file of
    this machine never replaced.
    """
    types = {path: entry.type for path, entry in expected.items()}
    extra = []
    for path, entry in present.items():
        if isinstance(entry, LocalEntry) and entry.type == "other" and path in types:
            raise FileExistsError(f"{path!r} is a device, a pipe or a socket, and is not replaced by a file")
        if not delete and types.get(path, entry.type) != entry.type:
            raise FileExistsError(
                f"{path!r} is a link or of another type at the target; pass delete=True to replace it"
            )
        is_link = isinstance(entry, RemoteEntry) and entry.link
        if delete and entry.readable and (types.get(path) != entry.type or is_link):
            extra.append(path)
    return extra


def is_same_content(here: LocalEntry, there: RemoteEntry) -> bool:
    """Whether two entries are folders, or files with the same bytes."""
    if here.type != there.type:
        return False
    if here.type == "directory":
        return True
    if here.size != there.size or there.sha256 is None:
        return False
    try:
        return here.sha256() == there.sha256
    except FileNotFoundError:  # deleted meanwhile
        return False


def make_result(
    work: Entries, everything: Entries, removed: Iterable[str] = (), skipped: Iterable[str] = ()
) -> TransferResult:
    """Return the result of a transfer: ``work`` is the part of ``everything`` that was different."""
    files = {path: entry for path, entry in work.items() if entry.type == "file"}
    unchanged = sum(entry.type == "file" for entry in everything.values()) - len(files)
    for path in skipped:
        files.pop(path, None)
    return TransferResult(
        transferred=tuple(sorted(files)),
        unchanged=unchanged,
        removed=tuple(sorted(removed)),
        size=sum(entry.size for entry in files.values()),
        skipped=tuple(sorted(skipped)),
    )


export("buntime", TransferOptions)
