"""Complete folders, from this machine to a session and back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Callable, Optional, TypedDict, Union

from buntime import _validate
from buntime._support.export import export
from buntime.errors import InvalidRequestError, InvalidResponseError
from buntime.helpers import local_files
from buntime.helpers.content import PIECE, ChunkedContent, packed, read_chunks, rechunked, unpacked
from buntime.helpers.ignore import expression, matcher
from buntime.helpers.local_files import LocalEntry, LocalFolder
from buntime.helpers.runner import Helpers, file_not_found, invalid_reply
from buntime.helpers.tree import RemoteEntry, RemoteTree
from buntime.models import TransferResult

Progress = Callable[[int, int, str], object]
"""Called with the bytes transferred, the bytes to transfer in total, and the name of the current file."""

PathArgument = Union[str, os.PathLike[str]]

_NAMES_SENT = 1024 * 1024
_NAMES_REQUESTED = 48 * 1024


class TransferOptions(TypedDict, total=False):
    """The keyword arguments of ``upload`` and ``download``.

    ``ignore`` are patterns of files that are neither transferred nor deleted. ``progress`` is called with the
    bytes transferred, the bytes in total, and the name of the file. ``delete`` is whether files that exist
    only at the target are deleted; by default they stay.
    """

    ignore: Union[str, Iterable[str]]
    progress: Optional[Progress]
    delete: bool


class _ProgressReporter:
    """Counts bytes for a progress callback."""

    def __init__(self, progress: Optional[Progress], work: Iterable[Union[RemoteEntry, LocalEntry]]) -> None:
        self._progress = progress
        self._total = sum(entry.size for entry in work)
        self._done = 0

    def add(self, size: int, name: str) -> None:
        """Report that ``size`` more bytes are done."""
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._total, name)


class Transfers:
    """Uploads and downloads files and folders."""

    def __init__(self, helpers: Helpers, content: ChunkedContent) -> None:
        self._helpers = helpers
        self._content = content

    def upload(
        self, session_id: str, local: PathArgument, remote: str, options: TransferOptions
    ) -> TransferResult:
        """Send a local file or folder to the session."""
        source = _validate.local_path("local", local)
        pattern, progress, delete = _checked(options)
        if not source.is_dir():
            return self._upload_file(session_id, source, remote, progress)
        here = local_files.resolve_links(source, local_files.scan(source, matcher(pattern)))
        there = RemoteTree.read(self._helpers, session_id, remote, hashes=True, ignore=pattern)
        if there.root is not None and there.root.type != "directory":
            raise InvalidRequestError(
                f"{remote!r} is a file in the session, {str(source)!r} is a folder here"
            )
        extra = _extra(there.entries, here, delete=delete)
        for batch in local_files.iterate_batches(
            ((path, 0) for path in sorted(extra, reverse=True)), most_bytes=1, most_path_bytes=_NAMES_SENT
        ):
            self._helpers.run_staged(session_id, "file_prune", json.dumps(batch), path=remote or ".")
        existing = {path: entry for path, entry in there.entries.items() if path not in set(extra)}
        work = {path: entry for path, entry in here.items() if _differs(entry, existing.get(path))}
        self._send(session_id, remote, work, progress, exists=there.root is not None)
        return _result(work, here, extra)

    def _upload_file(
        self, session_id: str, source: Path, remote: str, progress: Optional[Progress]
    ) -> TransferResult:
        if not remote:
            raise ValueError("remote is empty, which is the workspace folder; pass the path of a file")
        entry = LocalEntry.of(source, source.stat())
        if entry.type != "file":
            raise ValueError(f"{str(source)!r} is neither a file nor a folder")
        there = RemoteTree.read(self._helpers, session_id, remote, hashes=True).root
        if there is not None and there.type == "directory":
            raise InvalidRequestError(
                f"{remote!r} is a folder in the session, {str(source)!r} is a file here"
            )
        work = {remote: entry} if _differs(entry, there) else {}
        reporter = _ProgressReporter(progress, [entry])
        for path in work:
            self._send_large(session_id, path, path, entry, reporter)
        return _result(work, {remote: entry}, [])

    def _send(
        self,
        session_id: str,
        remote: str,
        work: Mapping[str, LocalEntry],
        progress: Optional[Progress],
        *,
        exists: bool,
    ) -> None:
        reporter = _ProgressReporter(progress, work.values())
        small = {path: entry for path, entry in work.items() if entry.size <= PIECE // 2}
        if not exists and not small:
            self._helpers.run(session_id, "file_mkdir", idempotent=True, path=remote or ".")
        sizes = ((path, entry.size) for path, entry in small.items())
        for batch in local_files.iterate_batches(sizes, most_bytes=PIECE, most_path_bytes=_NAMES_SENT):
            contents = {
                path: None if small[path].type == "directory" else small[path].full.read_bytes()
                for path in batch
            }
            items = [packed(path, content, small[path].executable) for path, content in contents.items()]
            self._helpers.run_staged(session_id, "file_unpack", json.dumps(items), path=remote or ".")
            for path, content in contents.items():
                if content is not None:
                    reporter.add(len(content), path)
        for path, entry in work.items():
            if path not in small:
                self._send_large(session_id, _joined(remote, path), path, entry, reporter)

    def _send_large(
        self, session_id: str, path: str, name: str, entry: LocalEntry, reporter: _ProgressReporter
    ) -> None:
        with open(entry.full, "rb") as file:
            self._content.write_pieces(
                session_id,
                path,
                rechunked(read_chunks(file)),
                executable=entry.executable,
                on_sent=lambda size: reporter.add(size, name),
            )

    def download(
        self, session_id: str, remote: str, local: PathArgument, options: TransferOptions
    ) -> TransferResult:
        """Write a file or folder of the session to this machine."""
        target = _validate.local_path("local", local)
        pattern, progress, delete = _checked(options)
        there = RemoteTree.read(self._helpers, session_id, remote, hashes=True, ignore=pattern)
        if there.root is None:
            raise file_not_found(remote)
        if there.root.type != "directory":
            return self._download_file(session_id, remote, there.root, target, progress)
        _check_downloadable(there.entries)
        here = local_files.scan(target, matcher(pattern)) if target.is_dir() else {}
        extra = _extra(here, there.entries, delete=delete)
        local_files.refuse_dangerous_delete(target, extra)
        folder = LocalFolder(target)
        folder.make("")
        removed = folder.remove(extra)
        existing = {path: entry for path, entry in here.items() if path not in set(removed)}
        work = {}
        for path, entry in there.entries.items():
            old = existing.get(path)
            if old is None or not _same_content(old, entry):
                work[path] = entry
            elif {old.executable, entry.executable} == {True, False}:
                folder.set_executable(path, entry.executable is True)
        self._receive(session_id, remote, work, folder, progress)
        return _result(work, there.entries, removed)

    def _download_file(
        self, session_id: str, remote: str, entry: RemoteEntry, target: Path, progress: Optional[Progress]
    ) -> TransferResult:
        if entry.type != "file":
            raise InvalidRequestError(f"{remote!r} is neither a file nor a folder")
        if target.is_dir():
            raise IsADirectoryError(
                f"{target} is a folder, but {remote!r} is a file; pass the path of a file"
            )
        same = target.is_file() and _same_content(LocalEntry.of(target, target.stat()), entry)
        work = {} if same else {remote: entry}
        if work:
            pieces = self._pieces(session_id, remote, remote, _ProgressReporter(progress, [entry]))
            target.parent.mkdir(parents=True, exist_ok=True)
            local_files.write_file(target.resolve(), pieces, entry.executable)
        return _result(work, {remote: entry}, [])

    def _receive(
        self,
        session_id: str,
        remote: str,
        work: Mapping[str, RemoteEntry],
        folder: LocalFolder,
        progress: Optional[Progress],
    ) -> None:
        reporter = _ProgressReporter(progress, work.values())
        files = {path: entry for path, entry in work.items() if entry.type == "file"}
        for path in work:
            if path not in files:
                folder.make(path)
        small = {path: entry.size for path, entry in files.items() if entry.size <= PIECE // 2}
        large = [path for path in files if path not in small]
        for batch in local_files.iterate_batches(
            small.items(), most_bytes=PIECE, most_path_bytes=_NAMES_REQUESTED
        ):
            items = [[path, small[path]] for path in batch]
            reply = self._helpers.run(
                session_id, "file_pack", idempotent=True, path=remote or ".", items=items
            )
            contents = reply.get("contents")
            if not isinstance(contents, list) or len(contents) != len(items):
                raise invalid_reply("does not have the requested files", reply)
            for path, text in zip(batch, contents):
                if text is None:
                    large.append(path)  # it has grown since it was listed
                else:
                    content = unpacked(text)
                    folder.write(path, [content], files[path].executable)
                    reporter.add(len(content), path)
        for path in large:
            pieces = self._pieces(session_id, _joined(remote, path), path, reporter)
            folder.write(path, pieces, files[path].executable)

    def _pieces(self, session_id: str, path: str, name: str, reporter: _ProgressReporter) -> Iterator[bytes]:
        for piece in self._content.read(session_id, path):
            yield piece
            reporter.add(len(piece), name)
            del piece


def _checked(options: TransferOptions) -> tuple[str, Optional[Progress], bool]:
    """Return the regular expression of ignored paths, the progress callback, and whether to delete."""
    unknown = set(options) - set(TransferOptions.__annotations__)
    if unknown:
        raise TypeError(f"unexpected keyword argument {min(unknown)!r}")
    progress = _validate.optional_callable("progress", options.get("progress"))
    delete = _validate.flag("delete", options.get("delete", False))
    return expression(options.get("ignore", ())), progress, delete


def _joined(folder: str, path: str) -> str:
    return f"{folder.rstrip('/')}/{path}" if folder else path


def _extra(
    present: Mapping[str, Union[RemoteEntry, LocalEntry]],
    expected: Mapping[str, Union[RemoteEntry, LocalEntry]],
    *,
    delete: bool,
) -> list[str]:
    """Return the present paths to delete: unexpected ones, those of another type, and links.

    Without ``delete`` that is none; ``FileExistsError`` if one is in the way. A link of the session to a file
    of the workspace is not: it acts as that file.
    """
    types = {path: entry.type for path, entry in expected.items()}
    if delete:
        return [
            path
            for path, entry in present.items()
            if types.get(path) != entry.type or (isinstance(entry, RemoteEntry) and entry.link)
        ]
    for path, entry in present.items():
        if types.get(path, entry.type) != entry.type:
            raise FileExistsError(
                f"{path!r} is a link or of another type at the target; pass delete=True to replace it"
            )
    return []


def _differs(here: LocalEntry, there: Optional[RemoteEntry]) -> bool:
    if there is None:
        return True
    if here.type != "file":
        return False
    return {here.executable, there.executable} == {True, False} or not _same_content(here, there)


def _same_content(here: LocalEntry, there: RemoteEntry) -> bool:
    if here.type != there.type:
        return False
    if here.type == "directory":
        return True
    return here.size == there.size and there.sha256 is not None and here.sha256() == there.sha256


def _check_downloadable(entries: Mapping[str, RemoteEntry]) -> None:
    local_files.check_names(entries)
    for path, entry in entries.items():
        if entry.type not in {"file", "directory"} or (entry.link and entry.type == "directory"):
            raise InvalidRequestError(
                f"{path!r} is neither a file nor a folder, nor a link to a file of the workspace; "
                "exclude it with ignore="
            )
        parent = entries.get(path.rpartition("/")[0])
        if parent is not None and parent.type != "directory":
            raise InvalidResponseError(f"the session lists {path!r}, which is below a file")


def _result(
    work: Mapping[str, Union[RemoteEntry, LocalEntry]],
    everything: Mapping[str, Union[RemoteEntry, LocalEntry]],
    removed: Iterable[str],
) -> TransferResult:
    files = {path: entry for path, entry in work.items() if entry.type == "file"}
    total = sum(entry.type == "file" for entry in everything.values())
    return TransferResult(
        transferred=tuple(sorted(files)),
        unchanged=total - len(files),
        removed=tuple(sorted(removed)),
        size=sum(entry.size for entry in files.values()),
    )


export("buntime", TransferOptions)
