"""Files and folders of a session, written to this machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Optional

from buntime import _validate
from buntime.errors import BuntimeError, InvalidRequestError, InvalidResponseError
from buntime.helpers import local_files
from buntime.helpers.content import ChunkedContent
from buntime.helpers.ignore import matcher
from buntime.helpers.local_files import LocalEntry, LocalFolder
from buntime.helpers.runner import Helpers, changed_meanwhile, file_not_found, is_unavailable
from buntime.helpers.small_files import fetch_small, is_small
from buntime.helpers.transfers import (
    PathArgument,
    Progress,
    ProgressReporter,
    TransferOptions,
    check_options,
    extra_paths,
    is_same_content,
    join_path,
    make_result,
)
from buntime.helpers.tree import RemoteEntry, RemoteTree
from buntime.models import TransferResult


class Downloads:
    """Fetches files and folders, as far as they differ. Each file is verified by the hash in the list."""

    def __init__(self, helpers: Helpers, content: ChunkedContent) -> None:
        self._helpers = helpers
        self._content = content

    def download(
        self, session_id: str, remote: str, local: PathArgument, options: TransferOptions
    ) -> TransferResult:
        """Write a file or folder of the session to this machine."""
        target = _validate.local_path("local", local)
        pattern, progress, delete = check_options(options)
        there = RemoteTree.read(self._helpers, session_id, remote, hashes=True, ignore=pattern)
        if there.root is None:
            raise file_not_found(remote)
        if there.root.type != "directory":
            return self._download_file(session_id, remote, there.root, target, progress)
        skipped = [path for path, entry in there.entries.items() if not entry.readable]
        expected = {path: entry for path, entry in there.entries.items() if entry.readable}
        _check_downloadable(expected)
        here = local_files.scan(target, matcher(pattern)) if target.is_dir() else {}
        extra = extra_paths(local_files.without(here, skipped), expected, delete=delete)
        local_files.refuse_dangerous_delete(target, extra)
        folder = LocalFolder(target)
        folder.make("")
        removed = set(folder.remove(extra))
        existing = {path: entry for path, entry in here.items() if path not in removed}
        work = {}
        for path, entry in expected.items():
            old = existing.get(path)
            if old is None or not is_same_content(old, entry):
                work[path] = entry
            elif {old.executable, entry.executable} == {True, False}:
                folder.set_executable(path, entry.executable is True)
        skipped += self._receive(session_id, remote, work, folder, progress)
        return make_result(work, expected, removed, skipped)

    def _download_file(
        self, session_id: str, remote: str, entry: RemoteEntry, target: Path, progress: Optional[Progress]
    ) -> TransferResult:
        if entry.type != "file":
            raise InvalidRequestError(f"{remote!r} is neither a file nor a folder")
        if target.is_dir():
            raise IsADirectoryError(
                f"{target} is a folder, but {remote!r} is a file; pass the path of a file"
            )
        same = target.is_file() and is_same_content(LocalEntry.of(target, target.stat()), entry)
        work = {} if same else {remote: entry}
        if work:
            pieces = self._pieces(session_id, remote, remote, entry, ProgressReporter(progress, [entry]))
            target.parent.mkdir(parents=True, exist_ok=True)
            local_files.write_file(target.resolve(), pieces, entry.executable)
        return make_result(work, {remote: entry})

    def _receive(
        self,
        session_id: str,
        remote: str,
        work: Mapping[str, RemoteEntry],
        folder: LocalFolder,
        progress: Optional[Progress],
    ) -> list[str]:
        """Write files and create folders; return the paths of files that vanished or became unreadable."""
        reporter = ProgressReporter(progress, work.values())
        files = {path: entry for path, entry in work.items() if entry.type == "file"}
        for path in work:
            if path not in files:
                folder.make(path)
        small = {path: entry for path, entry in files.items() if is_small(entry.size)}
        large = [path for path in files if path not in small]
        large += self._receive_small(session_id, remote, small, folder, reporter)
        skipped = []
        for path in large:
            pieces = self._pieces(session_id, join_path(remote, path), path, files[path], reporter)
            try:
                folder.write(path, pieces, files[path].executable)
            except BuntimeError as error:
                if not is_unavailable(error):
                    raise
                skipped.append(path)
        return skipped

    def _receive_small(
        self,
        session_id: str,
        remote: str,
        files: Mapping[str, RemoteEntry],
        folder: LocalFolder,
        reporter: ProgressReporter,
    ) -> list[str]:
        """Write files, many per call; return the paths of those that have grown or cannot be read."""
        remaining = []
        sizes = {path: entry.size for path, entry in files.items()}
        for path, content in fetch_small(self._helpers, session_id, remote, sizes):
            if content is None:
                remaining.append(path)
                continue
            if files[path].sha256 not in {None, hashlib.sha256(content).hexdigest()}:
                raise changed_meanwhile(f"{path!r} changed since its folder was listed")
            folder.write(path, [content], files[path].executable)
            reporter.add(len(content), path)
        return remaining

    def _pieces(
        self, session_id: str, path: str, name: str, entry: RemoteEntry, reporter: ProgressReporter
    ) -> Iterator[bytes]:
        for piece in self._content.read(session_id, path, sha256=entry.sha256):
            yield piece
            reporter.add(len(piece), name)
            del piece


def _check_downloadable(entries: Mapping[str, RemoteEntry]) -> None:
    local_files.check_names(entries)
    for path, entry in entries.items():
        if entry.type not in {"file", "directory"} or (entry.link and entry.type == "directory"):
            raise InvalidRequestError(
                f"{path!r} is neither a file nor a folder, nor a link to a file of the workspace; "
                "exclude it with ignore="
            )
        folder = path.rpartition("/")[0]
        parent = entries.get(folder)
        if parent is not None and parent.type != "directory":
            raise InvalidResponseError(f"the session lists {path!r} although {folder!r} is a file")
