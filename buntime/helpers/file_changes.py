"""Operations on the files of a session that need several steps."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any, Callable

from buntime.errors import ConflictError, InvalidRequestError, SessionFileNotFoundError
from buntime.helpers.content import rechunk
from buntime.helpers.runner import Helpers, errno_of, integer_of
from buntime.helpers.tree import RemoteEntry, RemoteTree
from buntime.models import FileInfo, WriteResult

_MOST_ATTEMPTS = 20


def append_chunks(helpers: Helpers, session_id: str, path: str, chunks: Iterable[bytes]) -> WriteResult:
    """Write to the end of a file, a piece at a time."""
    pieces = rechunk(chunks)
    piece = next(pieces, b"")
    size = _size(helpers, session_id, path)
    while True:
        size = _append(helpers, session_id, path, piece, size)
        following = next(pieces, None)
        if following is None:
            return WriteResult(path, size)
        piece = following


def _size(helpers: Helpers, session_id: str, path: str) -> int:
    try:
        return integer_of(helpers.run(session_id, "file_stat", idempotent=True, path=path), "size")
    except SessionFileNotFoundError:
        return 0


def _append(helpers: Helpers, session_id: str, path: str, piece: bytes, offset: int) -> int:
    """Write a piece at the end, expected at ``offset``; return the new size.

    A file that does not end there was extended either by another client, then this starts again at its end,
    or by an attempt of this call with a lost response, then ``resume`` compares the bytes and writes the
    rest.
    """
    text = base64.b64encode(piece).decode("ascii")
    resume = False
    attempts = 0
    while True:
        attempts += 1
        try:
            reply = helpers.run_staged(
                session_id, "file_append", text, path=path, offset=offset, resume=resume
            )
            return integer_of(reply, "size")
        except ConflictError as error:
            if attempts == _MOST_ATTEMPTS:
                raise
            lost = error.maybe_executed and not resume
            resume = lost
            if not lost:
                offset = _size(helpers, session_id, path)


def walk_folders(
    top: str, list_all: Callable[[], list[FileInfo]]
) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield the folders of a list as :func:`os.walk` does, top down."""
    children: dict[str, list[FileInfo]] = {}
    for file in list_all():
        children.setdefault(file.path.rpartition("/")[0], []).append(file)
    pending = [top]
    while pending:
        folder = pending.pop()
        below = children.get(folder, [])
        names: dict[bool, list[str]] = {True: [], False: []}
        for file in below:
            names[file.type == "directory"].append(file.path.rpartition("/")[2])
        yield folder, names[True], names[False]
        links = {file.path for file in below if file.target is not None}
        paths = [f"{folder}/{name}" if folder else name for name in names[True]]
        pending += [path for path in reversed(paths) if path not in links]


def stat(helpers: Helpers, session_id: str, path: str) -> FileInfo:
    """Return size, date and type of a file or folder."""
    return RemoteEntry.parse(helpers.run(session_id, "file_stat", idempotent=True, path=path)).info()


def exists(helpers: Helpers, session_id: str, path: str) -> bool:
    """Whether there is a file or folder with this path."""
    try:
        stat(helpers, session_id, path)
    except SessionFileNotFoundError:
        return False
    return True


def move(helpers: Helpers, session_id: str, source: str, target: str, overwrite: bool) -> None:
    """Rename a file or folder."""
    try:
        helpers.run(session_id, "file_move", idempotent=True, path=source, target=target, overwrite=overwrite)
    except SessionFileNotFoundError as error:
        # An attempt with a lost response may have moved it; a file to replace exists in any case.
        if error.maybe_executed and overwrite:
            error.hint = f"Compare {target!r} with the file: an attempt may have moved it"
        if overwrite or not (error.maybe_executed and exists(helpers, session_id, target)):
            raise


def copy(helpers: Helpers, session_id: str, source: str, target: str, overwrite: bool) -> None:
    """Copy a file or folder with its permissions."""
    try:
        helpers.run(session_id, "file_copy", idempotent=True, path=source, target=target, overwrite=overwrite)
    except InvalidRequestError as error:
        # An attempt with a lost response may have made the copy.
        is_ours = error.maybe_executed and errno_of(error) == "EEXIST"
        if not (is_ours and _is_copy(helpers, session_id, source, target)):
            raise


def _is_copy(helpers: Helpers, session_id: str, source: str, target: str) -> bool:
    """Whether two files or folders have the same content."""

    def content(path: str) -> Any:
        tree = RemoteTree.read(helpers, session_id, path, hashes=True)
        entries = {"": tree.root, **tree.entries}
        return [(name, entry and (entry.type, entry.sha256)) for name, entry in entries.items()]

    return bool(content(source) == content(target))
