"""Whole folders, from this machine to a session and back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Callable, Optional, Union

from buntime import _validate
from buntime.errors import InvalidRequestError, InvalidResponseError, SessionFileNotFoundError
from buntime.helpers import local_files
from buntime.helpers.content import PIECE, ChunkedContent, packed, read_chunks, rechunked, unpacked
from buntime.helpers.ignore import expression, matcher
from buntime.helpers.local_files import LocalEntry, LocalFolder
from buntime.helpers.runner import Helpers
from buntime.helpers.tree import Entry, Tree
from buntime.models import TransferResult

Progress = Callable[[int, int, str], object]
"""Called with the bytes done, the bytes that there are to do, and the name of the file under way."""

PathArgument = Union[str, "os.PathLike[str]"]

_NAMES_SENT = 1024 * 1024
_NAMES_ASKED = 48 * 1024


class ProgressReporter:
    """Counts bytes for a progress callback."""

    def __init__(self, progress: Optional[Progress], total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def add(self, size: int, name: str) -> None:
        self._done += size
        if self._progress is not None:
            self._progress(self._done, self._total, name)


class Transfers:
    """Uploads and downloads files and folders."""

    def __init__(self, helpers: Helpers, contents: ChunkedContent) -> None:
        self._helpers = helpers
        self._contents = contents

    def upload(
        self,
        session_id: str,
        local: PathArgument,
        remote: str,
        *,
        ignore: Union[str, Iterable[str]],
        progress: Optional[Progress],
        delete: bool,
    ) -> TransferResult:
        """Bring a local file or folder to the session."""
        source = _validate.local_path("local", local)
        _validate.optional_callable("progress", progress)
        pattern = expression(ignore)
        if not source.is_dir():
            return self._upload_file(session_id, source, remote, progress)
        here = local_files.resolve_links(source, local_files.scan(source, matcher(pattern)))
        there = Tree.read(self._helpers, session_id, remote, hashes=True, ignore=pattern)
        if there.root is not None and there.root.type != "directory":
            raise InvalidRequestError(f"{remote!r} is a file in the session, {str(source)!r} a folder here")
        extra = _extra(there.entries, {path: entry.type for path, entry in here.items()})
        if not delete:
            _check_places(extra, here)
            extra = []
        self._prune(session_id, remote, extra)
        gone = set(extra)
        there_still = {path: entry for path, entry in there.entries.items() if path not in gone}
        changed = [path for path, entry in here.items() if _differs(entry, there_still.get(path))]
        work = {path: here[path] for path in changed}
        self._send(session_id, remote, work, progress, exists=there.root is not None)
        return _result(work, here, extra)

    def _upload_file(
        self, session_id: str, source: Path, remote: str, progress: Optional[Progress]
    ) -> TransferResult:
        if not remote:
            raise ValueError("remote is empty, which names the workspace; a file needs a name of its own")
        entry = LocalEntry.of(source, source.stat())
        if entry.type != "file":
            raise ValueError(f"{str(source)!r} is neither a file nor a folder")
        there = Tree.read(self._helpers, session_id, remote, hashes=True).root
        if there is not None and there.type == "directory":
            raise InvalidRequestError(f"{remote!r} is a folder in the session, {str(source)!r} a file here")
        work = {remote: entry} if _differs(entry, there) else {}
        meter = ProgressReporter(progress, entry.size)
        for path in work:
            self._send_large(session_id, path, path, entry, meter)
        return _result(work, {remote: entry}, [])

    def _prune(self, session_id: str, remote: str, paths: list[str]) -> None:
        doomed = sorted(paths, reverse=True)
        for batch in local_files.iterate_batches(
            ((path, 0) for path in doomed), most_bytes=1, most_path_bytes=_NAMES_SENT
        ):
            self._helpers.run_staged(session_id, "file_prune", json.dumps(batch), path=remote or ".")

    def _send(
        self,
        session_id: str,
        remote: str,
        work: Mapping[str, LocalEntry],
        progress: Optional[Progress],
        *,
        exists: bool,
    ) -> None:
        meter = ProgressReporter(progress, sum(entry.size for entry in work.values()))
        small = {path: entry for path, entry in work.items() if entry.size <= PIECE // 2}
        batches = local_files.iterate_batches(
            ((path, entry.size) for path, entry in small.items()),
            most_bytes=PIECE,
            most_path_bytes=_NAMES_SENT,
        )
        if not exists and not small:
            self._helpers.run(session_id, "file_mkdir", idempotent=True, path=remote or ".")
        for batch in batches:
            self._send_batch(session_id, remote, {path: small[path] for path in batch}, meter)
        for path, entry in work.items():
            if path not in small:
                self._send_large(session_id, _joined(remote, path), path, entry, meter)

    def _send_batch(
        self, session_id: str, remote: str, batch: Mapping[str, LocalEntry], meter: ProgressReporter
    ) -> None:
        items = []
        sizes = {}
        for path, entry in batch.items():
            content = None if entry.type == "directory" else entry.full.read_bytes()
            items.append(packed(path, content, entry.executable))
            sizes[path] = len(content or b"")
        self._helpers.run_staged(session_id, "file_unpack", json.dumps(items), path=remote or ".")
        for path, size in sizes.items():
            if batch[path].type == "file":
                meter.add(size, path)

    def _send_large(
        self, session_id: str, path: str, name: str, entry: LocalEntry, meter: ProgressReporter
    ) -> None:
        with open(entry.full, "rb") as file:
            self._contents.write_pieces(
                session_id,
                path,
                rechunked(read_chunks(file)),
                executable=entry.executable,
                sent=lambda size: meter.add(size, name),
            )

    def download(
        self,
        session_id: str,
        remote: str,
        local: PathArgument,
        *,
        ignore: Union[str, Iterable[str]],
        progress: Optional[Progress],
        delete: bool,
    ) -> TransferResult:
        """Bring a file or folder of the session here."""
        target = _validate.local_path("local", local)
        _validate.optional_callable("progress", progress)
        pattern = expression(ignore)
        there = Tree.read(self._helpers, session_id, remote, hashes=True, ignore=pattern)
        if there.root is None:
            raise _missing(remote)
        if there.root.type != "directory":
            return self._download_file(session_id, remote, there.root, target, progress)
        _check_receivable(there.entries)
        here = local_files.scan(target, matcher(pattern)) if target.is_dir() else {}
        extra = _extra(here, {path: entry.type for path, entry in there.entries.items()})
        if delete:
            local_files.guard(target, extra)
        else:
            _check_places(extra, there.entries)
            extra = []
        folder = LocalFolder(target)
        folder.make("")
        removed = folder.remove(extra)
        here_still = {path: entry for path, entry in here.items() if path not in set(removed)}
        work = {
            path: entry
            for path, entry in there.entries.items()
            if not _same_content(here_still.get(path), entry)
        }
        for path, entry in there.entries.items():
            _follow_mode(folder, path, here_still.get(path), entry, changed=path in work)
        self._receive(session_id, remote, work, folder, progress)
        return _result(work, there.entries, removed)

    def _download_file(
        self, session_id: str, remote: str, entry: Entry, target: Path, progress: Optional[Progress]
    ) -> TransferResult:
        if entry.type != "file":
            raise InvalidRequestError(f"{remote!r} is neither a file nor a folder")
        if target.is_dir():
            raise IsADirectoryError(f"{target} is a folder, and {remote!r} a file; name the file to write")
        same = target.is_file() and _same_content(LocalEntry.of(target, target.stat()), entry)
        work = {} if same else {remote: entry}
        if work:
            meter = ProgressReporter(progress, entry.size)
            target.parent.mkdir(parents=True, exist_ok=True)
            local_files.write_file(
                target.resolve(), self._metered(session_id, remote, remote, meter), entry.executable
            )
        return _result(work, {remote: entry}, [])

    def _receive(
        self,
        session_id: str,
        remote: str,
        work: Mapping[str, Entry],
        folder: LocalFolder,
        progress: Optional[Progress],
    ) -> None:
        meter = ProgressReporter(progress, sum(entry.size for entry in work.values()))
        files = {path: entry for path, entry in work.items() if entry.type == "file"}
        for path in work:
            if path not in files:
                folder.make(path)
        small = {path: entry.size for path, entry in files.items() if entry.size <= PIECE // 2}
        large = [path for path in files if path not in small]
        for batch in local_files.iterate_batches(
            small.items(), most_bytes=PIECE, most_path_bytes=_NAMES_ASKED
        ):
            items = [[path, small[path]] for path in batch]
            for path, content in zip(batch, self._packs(session_id, remote, items)):
                if content is None:
                    large.append(path)
                else:
                    folder.write(path, [content], files[path].executable)
                    meter.add(len(content), path)
        for path in large:
            pieces = self._metered(session_id, _joined(remote, path), path, meter)
            folder.write(path, pieces, files[path].executable)

    def _packs(self, session_id: str, remote: str, items: list[list[object]]) -> Iterator[Optional[bytes]]:
        answer = self._helpers.run(session_id, "file_pack", idempotent=True, path=remote or ".", items=items)
        contents = answer.get("contents")
        if not isinstance(contents, list) or len(contents) != len(items):
            raise InvalidResponseError("a helper's answer has not the files that were asked for")
        return (None if content is None else unpacked(content) for content in contents)

    def _metered(self, session_id: str, path: str, name: str, meter: ProgressReporter) -> Iterator[bytes]:
        for piece in self._contents.read(session_id, path):
            yield piece
            meter.add(len(piece), name)
            del piece


def _joined(folder: str, path: str) -> str:
    return f"{folder.rstrip('/')}/{path}" if folder else path


def _extra(present: Mapping[str, Union[Entry, LocalEntry]], wanted: Mapping[str, str]) -> list[str]:
    """Return what is present and not wanted, or is of another type, or a link."""
    return [
        path
        for path, entry in present.items()
        if wanted.get(path) != entry.type or (isinstance(entry, Entry) and entry.link)
    ]


def _check_places(extra: Iterable[str], wanted: Mapping[str, object]) -> None:
    for path in extra:
        if path in wanted:
            raise FileExistsError(
                f"{path!r} is a link or of another type where it goes, and delete=False keeps it"
            )


def _differs(here: LocalEntry, there: Optional[Entry]) -> bool:
    if there is None:
        return True
    if here.type != "file":
        return False
    modes = {here.executable, there.executable}
    return modes == {True, False} or not _same_content(here, there)


def _same_content(here: Optional[LocalEntry], there: Entry) -> bool:
    if here is None or here.type != there.type:
        return False
    if here.type == "directory":
        return True
    return here.size == there.size and there.sha256 is not None and here.sha256() == there.sha256


def _follow_mode(
    folder: LocalFolder, path: str, here: Optional[LocalEntry], there: Entry, *, changed: bool
) -> None:
    if changed or here is None or {here.executable, there.executable} != {True, False}:
        return
    folder.mark(path, there.executable is True)


def _check_receivable(entries: Mapping[str, Entry]) -> None:
    local_files.check_names(entries)
    for path, entry in entries.items():
        if entry.type not in {"file", "directory"} or (entry.link and entry.type == "directory"):
            raise InvalidRequestError(
                f"{path!r} is neither a file nor a folder, nor a link to a file of the workspace; "
                "leave it out with ignore="
            )
        parent = entries.get(path.rpartition("/")[0])
        if parent is not None and parent.type != "directory":
            raise InvalidResponseError(f"the session names {path!r}, which is below a file")


def _missing(path: str) -> SessionFileNotFoundError:
    return SessionFileNotFoundError(f"the session has no file {path!r}", code="file_not_found", path=path)


def _result(
    work: Mapping[str, Union[Entry, LocalEntry]],
    everything: Mapping[str, Union[Entry, LocalEntry]],
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
