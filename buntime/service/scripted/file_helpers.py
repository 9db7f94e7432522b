"""The client's helpers for files, done on a workspace in memory, which has no links and no modes."""

from __future__ import annotations

import base64
import binascii
import errno
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Callable, Protocol

from buntime.service.workspace.base import Entry, Workspace
from buntime.service.workspace.paths import failure, normalise

Arguments = Mapping[str, Any]
BufferedResponse = dict[str, Any]


class HelperError(Exception):
    """A helper ends with an error that is not the operating system's; ``code`` is its name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MutableWorkspace(Workspace, Protocol):
    """A workspace that does more than the service's own calls need."""

    def make_folder(self, path: str) -> None:
        """Make a folder, and those above it."""
        ...

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete a file or a folder."""
        ...

    def move(self, source: str, target: str, *, overwrite: bool) -> None:
        """Rename a file or a folder."""
        ...


def _stat(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    return _described(workspace.stat(arguments["path"]))


def _mkdir(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    workspace.make_folder(arguments["path"])
    return {}


def _move(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    workspace.move(arguments["path"], arguments["target"], overwrite=arguments["overwrite"])
    return {}


def _delete(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    try:
        workspace.delete(arguments["path"], recursive=arguments["recursive"])
    except FileNotFoundError:
        if not arguments["missing_ok"]:
            raise
    return {}


def _walk(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    hashes = arguments["hashes"]
    root = normalise(arguments["path"])
    try:
        found = workspace.stat(root)
    except FileNotFoundError:
        return {"root": None, "entries": [], "next": None}
    if found.type == "file":
        return {"root": _looked_at(workspace, found, "", hashes), "entries": [], "next": None}
    ignored = re.compile(arguments["ignore"])
    entries = sorted(_below(workspace, root, len(root) + 1 if root else 0, ignored))
    after = arguments["after"]
    left = [(name, entry) for name, entry in entries if after is None or name > after]
    page = left[: arguments["limit"]]
    return {
        "root": _described(found, ""),
        "entries": [_looked_at(workspace, entry, name, hashes) for name, entry in page],
        "next": page[-1][0] if len(page) < len(left) else None,
    }


def _below(
    workspace: Workspace, folder: str, cut: int, ignored: re.Pattern[str]
) -> Iterator[tuple[str, Entry]]:
    for entry in workspace.list(folder):
        name = entry.path[cut:]
        is_folder = entry.type == "directory"
        if ignored.fullmatch(f"{name}/" if is_folder else name):
            continue
        yield name, entry
        if is_folder:
            yield from _below(workspace, entry.path, cut, ignored)


def _looked_at(workspace: Workspace, entry: Entry, name: str, hashes: bool) -> BufferedResponse:
    described = _described(entry, name)
    if hashes and entry.type == "file":
        described["sha256"] = hashlib.sha256(workspace.read(entry.path)).hexdigest()
    return described


def _described(entry: Entry, name: str | None = None) -> BufferedResponse:
    return {
        "path": entry.path if name is None else name,
        "size": entry.size,
        "modified": entry.modified * 1000,
        "type": entry.type,
        "link": False,
        "executable": None,
    }


def _range(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    content = workspace.read(arguments["path"])
    start = arguments["offset"]
    piece = content[start : start + arguments["length"]]
    last = start > 0 and start + len(piece) >= len(content)
    return {
        "size": len(content),
        "stamp": str(workspace.stat(arguments["path"]).modified),
        "sha256": hashlib.sha256(content).hexdigest() if last else None,
        "base64": _base64(piece),
    }


def _piece(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    # Kept apart until the end: a growing file would be copied for every piece.
    content = _bytes(_taken(workspace, arguments))
    if arguments["offset"] == 0:
        _check_writable(workspace, arguments["path"])
    workspace.write(f"{arguments['part']}/{arguments['offset']:020}", content)
    workspace.delete(arguments["staged"], recursive=False)
    return {}


def _check_writable(workspace: Workspace, path: str) -> None:
    with suppress(FileNotFoundError):
        if workspace.stat(path).type == "directory":
            raise failure(errno.EISDIR, path)


def _finish(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    path, part = arguments["path"], arguments["part"]
    try:
        pieces = [workspace.read(entry.path) for entry in workspace.list(part)]
    except FileNotFoundError:
        content = workspace.read(path)
        if hashlib.sha256(content).hexdigest() != arguments["digest"]:
            raise HelperError("ECHANGED", f"{path} was written by somebody else meanwhile") from None
        return {}
    content = b"".join(pieces)[: arguments["size"]]
    workspace.delete(part, recursive=True)
    if hashlib.sha256(content).hexdigest() != arguments["digest"]:
        raise HelperError("ECHANGED", f"{path} did not arrive as it was sent")
    workspace.write(path, content)
    return {}


def _unpack(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    items = json.loads(_taken(workspace, arguments))
    for item in items:
        name = f"{arguments['path']}/{item['path']}" if item["path"] else arguments["path"]
        if item["base64"] is None:
            workspace.make_folder(name)
        else:
            workspace.write(name, _bytes(item["base64"]))
    workspace.delete(arguments["staged"], recursive=False)
    return {"count": len(items)}


def _pack(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    contents = []
    for name, size in arguments["items"]:
        content = workspace.read(f"{arguments['path']}/{name}")
        contents.append(None if len(content) > size else _base64(content))
    return {"contents": contents}


def _prune(workspace: MutableWorkspace, arguments: Arguments) -> BufferedResponse:
    for name in json.loads(_taken(workspace, arguments)):
        try:
            workspace.delete(f"{arguments['path']}/{name}", recursive=False)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTEMPTY}:
                raise
    workspace.delete(arguments["staged"], recursive=False)
    return {}


def _taken(workspace: Workspace, arguments: Arguments) -> str:
    try:
        return workspace.read(arguments["staged"]).decode()
    except FileNotFoundError as error:
        raise HelperError("ECONSUMED", f"{arguments['staged']} is not there") from error


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise HelperError("EINVAL", str(error)) from error


OPERATIONS: dict[str, Callable[[Any, Arguments], BufferedResponse]] = {
    "file_stat": _stat,
    "file_mkdir": _mkdir,
    "file_move": _move,
    "file_delete": _delete,
    "file_walk": _walk,
    "file_range": _range,
    "file_piece": _piece,
    "file_finish": _finish,
    "file_unpack": _unpack,
    "file_pack": _pack,
    "file_prune": _prune,
}
"""What each helper for files does, by its name."""
