"""Files and folders of this machine, sent to a session."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Optional

import attrs

from buntime import _validate
from buntime.errors import BuntimeError, InvalidRequestError
from buntime.helpers import local_files
from buntime.helpers.content import PIECE, ChunkedContent, pack_file, read_chunks, rechunk
from buntime.helpers.ignore import matcher
from buntime.helpers.local_files import LocalEntry
from buntime.helpers.runner import Helpers
from buntime.helpers.small_files import is_small
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

_NAMES_SENT = 1024 * 1024


class Uploads:
    """Sends files and folders, as far as they differ."""

    def __init__(self, helpers: Helpers, content: ChunkedContent) -> None:
        self._helpers = helpers
        self._content = content

    def upload(
        self, session_id: str, local: PathArgument, remote: str, options: TransferOptions
    ) -> TransferResult:
        """Send a local file or folder to the session."""
        source = _validate.local_path("local", local)
        pattern, progress, delete = check_options(options)
        if not source.is_dir():
            return self._upload_file(session_id, source, remote, progress)
        here = local_files.resolve_links(source, local_files.scan(source, matcher(pattern)))
        there = RemoteTree.read(self._helpers, session_id, remote, hashes=True, ignore=pattern)
        if there.root is not None and there.root.type != "directory":
            raise InvalidRequestError(
                f"{remote!r} is a file in the session, {str(source)!r} is a folder here"
            )
        extra = extra_paths(there.entries, here, delete=delete)
        for batch in local_files.iterate_batches(
            ((path, 0) for path in sorted(extra, reverse=True)), most_bytes=1, most_path_bytes=_NAMES_SENT
        ):
            self._helpers.run_staged(session_id, "file_prune", json.dumps(batch), path=remote or ".")
        removed = set(extra)
        existing = {path: entry for path, entry in there.entries.items() if path not in removed}
        work = {path: entry for path, entry in here.items() if _differs(entry, existing.get(path))}
        sizes = self._send(session_id, remote, work, progress, exists=there.root is not None)
        skipped = [path for path, entry in work.items() if entry.type == "file" and path not in sizes]
        if delete:
            skipped += [path for path, entry in existing.items() if not entry.readable and path not in here]
        return make_result(_with_sizes(work, sizes), here, extra, skipped)

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
        reporter = ProgressReporter(progress, [entry])
        sizes = {path: self._send_large(session_id, path, path, entry, reporter) for path in work}
        return make_result(_with_sizes(work, sizes), {remote: entry})

    def _send(
        self,
        session_id: str,
        remote: str,
        work: Mapping[str, LocalEntry],
        progress: Optional[Progress],
        *,
        exists: bool,
    ) -> dict[str, int]:
        """Send files and create folders; return the size of each file, without those that vanished."""
        sizes: dict[str, int] = {}
        reporter = ProgressReporter(progress, work.values())
        small = {path: entry for path, entry in work.items() if is_small(entry.size)}
        large = [path for path in work if path not in small]
        if not exists and not small:
            self._helpers.run(session_id, "file_mkdir", idempotent=True, path=remote or ".")
        lengths = ((path, entry.size) for path, entry in small.items())
        for batch in local_files.iterate_batches(lengths, most_bytes=PIECE, most_path_bytes=_NAMES_SENT):
            contents, grown = _read_small({path: small[path] for path in batch})
            large += grown
            items = [pack_file(path, content, small[path].executable) for path, content in contents.items()]
            self._helpers.run_staged(session_id, "file_unpack", json.dumps(items), path=remote or ".")
            for path, content in contents.items():
                if content is not None:
                    sizes[path] = len(content)
                    reporter.add(len(content), path)
        for path in large:
            try:
                sizes[path] = self._send_large(
                    session_id, join_path(remote, path), path, work[path], reporter
                )
            except FileNotFoundError as error:
                if isinstance(error, BuntimeError):  # of the session
                    raise
        return sizes

    def _send_large(
        self, session_id: str, path: str, name: str, entry: LocalEntry, reporter: ProgressReporter
    ) -> int:
        """Send a file in pieces, and return its size."""
        with open(entry.full, "rb") as file:
            return self._content.write_pieces(
                session_id,
                path,
                rechunk(read_chunks(file)),
                executable=entry.executable,
                on_sent=lambda size: reporter.add(size, name),
            ).size


def _read_small(entries: Mapping[str, LocalEntry]) -> tuple[dict[str, Optional[bytes]], list[str]]:
    """Return the content of files, ``None`` for folders, and the paths of files that have grown.

    Files that vanished are in neither.
    """
    contents: dict[str, Optional[bytes]] = {}
    grown: list[str] = []
    for path, entry in entries.items():
        if entry.type == "directory":
            contents[path] = None
            continue
        with suppress(FileNotFoundError), open(entry.full, "rb") as file:
            content = file.read(entry.size + 1)
            if len(content) > entry.size:
                grown.append(path)
            else:
                contents[path] = content
    return contents, grown


def _with_sizes(work: Mapping[str, LocalEntry], sizes: Mapping[str, int]) -> dict[str, LocalEntry]:
    """Return the entries with the sizes that were sent: a file may change after the scan."""
    return {path: attrs.evolve(entry, size=sizes.get(path, entry.size)) for path, entry in work.items()}


def _differs(here: LocalEntry, there: Optional[RemoteEntry]) -> bool:
    if there is None:
        return True
    if here.type != "file":
        return False
    return {here.executable, there.executable} == {True, False} or not is_same_content(here, there)
