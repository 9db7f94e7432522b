"""The client's helpers for files, carried out on a workspace in memory, which has no links and no modes."""

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

from buntime.service.workspace.base import Workspace, WorkspaceEntry
from buntime.service.workspace.paths import failure, normalise

Arguments = Mapping[str, Any]
Result = dict[str, Any]


class ScriptedHelperError(Exception):
    """A helper ends with an error that is not the operating system's; ``code`` is its name."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class MutableWorkspace(Workspace, Protocol):
    """A workspace with the operations that only helpers need."""

    def make_folder(self, path: str) -> None:
        """Make a folder, and those above it."""
        ...

    def delete(self, path: str, *, recursive: bool) -> None:
        """Delete a file or a folder."""
        ...

    def move(self, source: str, target: str, *, overwrite: bool) -> None:
        """Rename a file or a folder."""
        ...

    def copy_to(self, source: str, target: str, *, overwrite: bool) -> None:
        """Copy a file or a folder."""
        ...


def _stat(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    return _description(workspace.stat(arguments["path"]))


def _mkdir(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    workspace.make_folder(arguments["path"])
    return {}


def _move(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    workspace.move(arguments["path"], arguments["target"], overwrite=arguments["overwrite"])
    return {}


def _copy(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    workspace.copy_to(arguments["path"], arguments["target"], overwrite=arguments["overwrite"])
    return {}


def _chmod(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    workspace.stat(arguments["path"])
    return {}


def _append(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    content = _decode_base64(take_staged(workspace, arguments))
    path, offset = arguments["path"], arguments["offset"]
    try:
        old = workspace.read(path)
    except FileNotFoundError:
        old = b""
    present = old[offset : offset + len(content)]
    is_same = content.startswith(present) if arguments["resume"] else not present
    if len(old) < offset or not is_same:
        raise ScriptedHelperError("ECHANGED", f"{path} was written by another client meanwhile")
    new = old if present and len(present) == len(content) else old[:offset] + content
    workspace.write(path, new)
    return {"size": len(new)}


def _delete(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    try:
        workspace.delete(arguments["path"], recursive=arguments["recursive"])
    except FileNotFoundError:
        if not arguments["missing_ok"]:
            raise
    return {}


def _walk(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    hashes = arguments["hashes"]
    root = normalise(arguments["path"])
    try:
        entry = workspace.stat(root)
    except FileNotFoundError:
        return {"root": None, "entries": [], "next": None}
    if entry.type == "file":
        return {"root": _description(entry, "", workspace if hashes else None), "entries": [], "next": None}
    ignored = re.compile(arguments["ignore"])
    after = arguments["after"]
    entries = [
        (name, child)
        for name, child in sorted(below(workspace, root, len(root) + 1 if root else 0, ignored))
        if after is None or name > after
    ]
    page = entries[: arguments["limit"]]
    return {
        "root": _description(entry, ""),
        "entries": [_description(child, name, workspace if hashes else None) for name, child in page],
        "next": page[-1][0] if len(page) < len(entries) else None,
    }


def below(
    workspace: Workspace, folder: str, prefix_length: int, ignored: re.Pattern[str]
) -> Iterator[tuple[str, WorkspaceEntry]]:
    """Yield what is below a folder, by names without the first ``prefix_length`` characters."""
    for entry in workspace.list(folder):
        name = entry.path[prefix_length:]
        is_folder = entry.type == "directory"
        if ignored.fullmatch(f"{name}/" if is_folder else name):
            continue
        yield name, entry
        if is_folder:
            yield from below(workspace, entry.path, prefix_length, ignored)


def _description(
    entry: WorkspaceEntry, name: str | None = None, hashed_in: Workspace | None = None
) -> Result:
    """Describe an entry as ``name``; with the hash of its content if ``hashed_in`` is its workspace."""
    description: Result = {
        "path": entry.path if name is None else name,
        "size": entry.size,
        "modified": entry.modified * 1000,
        "type": entry.type,
        "link": False,
        "executable": None,
    }
    if hashed_in is not None and entry.type == "file":
        description["sha256"] = hashlib.sha256(hashed_in.read(entry.path)).hexdigest()
    return description


def _range(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    content = workspace.read(arguments["path"])
    start = arguments["offset"]
    piece = content[start : start + arguments["length"]]
    is_last_of_several = start > 0 and start + len(piece) >= len(content)
    return {
        "size": len(content),
        "stamp": str(workspace.stat(arguments["path"]).modified),
        "sha256": hashlib.sha256(content).hexdigest() if is_last_of_several else None,
        "base64": _base64(piece),
    }


def _piece(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    # Each piece is a file until the end: a growing file would be copied for every piece.
    content = _decode_base64(take_staged(workspace, arguments))
    if arguments["offset"] == 0:
        with suppress(FileNotFoundError):
            if workspace.stat(arguments["path"]).type == "directory":
                raise failure(errno.EISDIR, arguments["path"])
    workspace.write(f"{arguments['part']}/{arguments['offset']:020}", content)
    return {}


def _finish(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    path, part = arguments["path"], arguments["part"]
    try:
        pieces = [workspace.read(entry.path) for entry in workspace.list(part)]
    except FileNotFoundError:
        # The pieces are gone: fine if an earlier call, whose response was lost, has finished this file.
        if hashlib.sha256(workspace.read(path)).hexdigest() != arguments["digest"]:
            raise ScriptedHelperError("ECHANGED", f"{path} was overwritten during the upload") from None
        return {}
    # The names of the pieces are their offsets with leading zeros, so the list is in their order.
    content = b"".join(pieces)[: arguments["size"]]
    workspace.delete(part, recursive=True)
    if hashlib.sha256(content).hexdigest() != arguments["digest"]:
        raise ScriptedHelperError("ECHANGED", f"{path} did not arrive as it was sent")
    workspace.write(path, content)
    return {}


def _unpack(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    items = json.loads(take_staged(workspace, arguments))
    skipped: list[str] = []
    for item in items:
        name = f"{arguments['path']}/{item['path']}" if item["path"] else arguments["path"]
        if item.get("link"):
            skipped.append(item["path"])
        elif item["base64"] is None:
            workspace.make_folder(name)
        else:
            workspace.write(name, _decode_base64(item["base64"]))
    return {"count": len(items), "skipped": skipped}


def _pack(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    contents: list[str | None] = []
    for name, size in arguments["items"]:
        text = None
        with suppress(OSError):
            content = workspace.read(f"{arguments['path']}/{name}")
            text = None if len(content) > size else _base64(content)
        contents.append(text)
    return {"contents": contents}


def _prune(workspace: MutableWorkspace, arguments: Arguments) -> Result:
    for name in json.loads(take_staged(workspace, arguments)):
        try:
            workspace.delete(f"{arguments['path']}/{name}", recursive=False)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.ENOTEMPTY}:
                raise
    return {}


def take_staged(workspace: Any, arguments: Arguments) -> str:
    """Return the content that was sent with a helper, once."""
    try:
        content: str = workspace.read(arguments["staged"]).decode()
    except FileNotFoundError as error:
        raise ScriptedHelperError("ECONSUMED", f"{arguments['staged']} is not there") from error
    workspace.delete(arguments["staged"], recursive=False)
    return content


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ScriptedHelperError("EINVAL", str(error)) from error


FILE_HELPERS: dict[str, Callable[[Any, Arguments], Result]] = {
    "file_stat": _stat,
    "file_mkdir": _mkdir,
    "file_move": _move,
    "file_copy": _copy,
    "file_chmod": _chmod,
    "file_append": _append,
    "file_delete": _delete,
    "file_walk": _walk,
    "file_range": _range,
    "file_piece": _piece,
    "file_finish": _finish,
    "file_unpack": _unpack,
    "file_pack": _pack,
    "file_prune": _prune,
}
"""The helpers for files, by operation."""
