"""The files of a session."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import Optional, Union

from buntime import _validate
from buntime.engine.caller import Caller
from buntime.errors import APIStatusError, InvalidRequestError, SessionFileNotFoundError
from buntime.helpers.content import ChunkedContent, Content
from buntime.helpers.mirror import PathArgument, Progress, Transfers
from buntime.helpers.runner import Helpers, text_of
from buntime.helpers.tree import Entry, Tree
from buntime.models import FileInfo, TransferResult, WriteResult
from buntime.wire import requests, responses
from buntime.wire.error_responses import route_is_missing

_TOO_LARGE = 413
_NOT_TEXT = "not_text"


class Files:
    """Files of any session. Paths are relative to ``/workspace``, or absolute below it.

    Besides what each method names, all raise :class:`~buntime.SessionFileNotFoundError` (also a
    ``FileNotFoundError``) where what they need is not there, :class:`~buntime.InvalidRequestError` for a
    path outside the workspace or of the wrong type, :class:`~buntime.ResourceLimitError` where the disk is
    full, :class:`~buntime.SessionNotFoundError` where the session has ended, and the errors of every call.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._helpers = Helpers(caller)
        self._contents = ChunkedContent(caller, self._helpers)
        self._transfers = Transfers(self._helpers, self._contents)

    def write(self, *, session_id: str, path: str, content: Content) -> WriteResult:
        """Write a file whole, with the folders it needs; what was there is replaced.

        Arguments:
            session_id: of the session.
            path: of the file.
            content: text (written as UTF-8), bytes, the path of a local file as ``os.PathLike``, an open
                binary file, or an iterable of ``bytes``, such as a download. It may be larger than the
                plan's limit of a file: it then travels in pieces, of which one is in memory at a time, is
                checked by its hash, and replaces what was there at the end.

        Raises :class:`~buntime.ConflictError` where somebody else writes the same content to it meanwhile.
        """
        session_id, path = _validate.session_id(session_id), _validate.file("path", path)
        with self._caller.one_deadline():
            return self._contents.write(session_id, path, content)

    def read(self, *, session_id: str, path: str) -> str:
        """Return a text file; an error where it is not UTF-8."""
        session_id, path = _validate.session_id(session_id), _validate.file("path", path)
        with self._caller.one_deadline():
            return self._read_text(session_id, path)

    def _read_text(self, session_id: str, path: str) -> str:
        seen = self._caller.seen
        if seen.reads_files:
            call = requests.read_file(session_id, path)
            try:
                return self._caller.call(call, responses.file_content(path), idempotent=True)
            except APIStatusError as error:
                if error.status == _TOO_LARGE:
                    return self._read_large(session_id, path)
                if error.code == _NOT_TEXT:
                    error.hint = "Use read_bytes() or download(), which take any bytes"
                if not route_is_missing(error):
                    raise
        try:
            answer = self._helpers.run(session_id, "read", idempotent=True, path=path)
        except SessionFileNotFoundError:
            seen.reads_files = False
            raise
        seen.reads_files = False
        return text_of(answer, "content")

    def _read_large(self, session_id: str, path: str) -> str:
        content = self.read_bytes(session_id=session_id, path=path)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise InvalidRequestError(f"{path!r} is not UTF-8 text; use read_bytes()") from error

    def read_bytes(self, *, session_id: str, path: str) -> bytes:
        """Return the bytes of a file, of any size.

        Raises :class:`~buntime.ConflictError` where it changes while it is read.
        """
        session_id, path = _validate.session_id(session_id), _validate.file("path", path)
        with self._caller.one_deadline():
            return b"".join(self._contents.read(session_id, path))

    def list(self, *, session_id: str, path: str = "", recursive: bool = False) -> builtins.list[FileInfo]:
        """Return the direct children of a folder, or all that is below it, sorted by path.

        Links to folders are not entered. Raises :class:`~buntime.SessionFileNotFoundError` where the folder
        does not exist.
        """
        session_id, path = _validate.session_id(session_id), _validate.folder("path", path)
        _validate.flag("recursive", recursive)
        with self._caller.one_deadline():
            return self._list_all(session_id, path) if recursive else self._list_children(session_id, path)

    def _list_children(self, session_id: str, path: str) -> builtins.list[FileInfo]:
        found: dict[str, FileInfo] = {}
        offset = 0
        while True:
            call = requests.list_files(session_id, path, offset)
            page = self._caller.call(call, responses.listed, idempotent=True)
            offset += len(page)
            new = {item.path: item for item in page if item.path not in found}
            found.update(new)
            # A service that ignores the offset sends the same page for ever.
            if len(page) < requests.PAGE or not new:
                shown = (item for item in found.values() if not responses.is_hidden(item.path))
                return sorted(shown, key=lambda item: item.path)

    def _list_all(self, session_id: str, path: str) -> builtins.list[FileInfo]:
        tree = Tree.read(self._helpers, session_id, path)
        if tree.root is None:
            message = f"the session has no folder {path!r}"
            raise SessionFileNotFoundError(message, code="file_not_found", path=path)
        if tree.root.type != "directory":
            raise InvalidRequestError(f"{path!r} is a file, not a folder", code="invalid_request")
        folder = responses.relative(path)
        return [entry.info(folder) for entry in tree.entries.values()]

    def stat(self, *, session_id: str, path: str) -> FileInfo:
        """Return size, date and type of a file or folder. A link is what it leads to."""
        answer = self._helpers.run(
            _validate.session_id(session_id), "file_stat", idempotent=True, path=_validate.path("path", path)
        )
        return Entry.of(answer).info()

    def exists(self, *, session_id: str, path: str) -> bool:
        """Whether there is a file or folder of this name."""
        try:
            self.stat(session_id=session_id, path=path)
        except SessionFileNotFoundError:
            return False
        return True

    def mkdir(self, *, session_id: str, path: str) -> None:
        """Make a folder and those above it, where they are not there yet."""
        self._helpers.run(
            _validate.session_id(session_id), "file_mkdir", idempotent=True, path=_validate.path("path", path)
        )

    def move(self, *, session_id: str, source: str, target: str, overwrite: bool = False) -> None:
        """Give a file or folder another path, with the folders that needs.

        ``target`` is the new path itself, never a folder to move into. Where it is there already that is an
        :class:`~buntime.InvalidRequestError`, unless ``overwrite`` lets a file replace a file.
        """
        session_id = _validate.session_id(session_id)
        source, target = _validate.path("source", source), _validate.path("target", target)
        _validate.flag("overwrite", overwrite)
        try:
            self._helpers.run(
                session_id, "file_move", idempotent=True, path=source, target=target, overwrite=overwrite
            )
        except SessionFileNotFoundError as error:
            # An attempt whose answer was lost may have moved it.
            if not (error.maybe_executed and self.exists(session_id=session_id, path=target)):
                raise

    def delete(
        self, *, session_id: str, path: str, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """Delete a file, a link (not what it leads to), or an empty folder; with ``recursive`` any folder.

        Raises :class:`~buntime.SessionFileNotFoundError` where it is not there, unless ``missing_ok``.
        """
        try:
            self._helpers.run(
                _validate.session_id(session_id),
                "file_delete",
                idempotent=True,
                path=_validate.path("path", path),
                recursive=_validate.flag("recursive", recursive),
                missing_ok=_validate.flag("missing_ok", missing_ok),
            )
        except SessionFileNotFoundError as error:
            # An attempt whose answer was lost may have deleted it.
            if not error.maybe_executed:
                raise

    def upload(
        self,
        *,
        session_id: str,
        local: PathArgument,
        remote: str,
        ignore: Union[str, Iterable[str]] = (),
        progress: Optional[Progress] = None,
        delete: bool = True,
    ) -> TransferResult:
        """Make a path of the session what a local file or folder is.

        A folder's *contents* become those of ``remote``, whether or not that exists: what differs (by hash)
        is sent, and what is only in the session is deleted. Small files travel many at once, large ones in
        pieces; every step is retried as a read is. It is not atomic: one that failed is simply done again.

        Arguments:
            session_id: of the session.
            local: a file or folder. A link inside the folder is sent as the file it leads to, where that
                is in the folder too.
            remote: the path it gets; for a folder ``""`` is the workspace.
            ignore: patterns of what is neither sent nor deleted. ``*.log`` and ``node_modules`` match at
                any depth, ``build/*.js`` from the top, ``cache/`` folders only; ``**`` any depth.
            progress: called with the bytes done, all bytes to do, and the name of the file.
            delete: whether to delete in the session what is not here.

        Raises ``FileNotFoundError`` where ``local`` is not there, and ``ValueError`` naming what cannot be
        sent, before anything was.
        """
        with self._caller.one_deadline():
            return self._transfers.upload(
                _validate.session_id(session_id),
                local,
                _validate.folder("remote", remote),
                ignore=ignore,
                progress=progress,
                delete=_validate.flag("delete", delete),
            )

    def download(
        self,
        *,
        session_id: str,
        remote: str,
        local: PathArgument,
        ignore: Union[str, Iterable[str]] = (),
        progress: Optional[Progress] = None,
        delete: bool = True,
    ) -> TransferResult:
        """Make a local path what a file or folder of the session is.

        As :meth:`upload` in the other direction: a folder's contents become those of ``local``, and what is
        only in ``local`` is **deleted** unless ``delete`` is false. Nothing is written outside ``local``,
        whatever the session names and wherever links in ``local`` lead. A file is in its place only when
        all of it is there.

        Raises ``ValueError`` where it would delete files in the current folder or the home folder or one
        above, and :class:`~buntime.ConflictError` where a file changes while it is read.
        """
        with self._caller.one_deadline():
            return self._transfers.download(
                _validate.session_id(session_id),
                _validate.folder("remote", remote),
                local,
                ignore=ignore,
                progress=progress,
                delete=_validate.flag("delete", delete),
            )


class SessionFiles:
    """The files of one session: the methods of :class:`Files` without ``session_id``."""

    def __init__(self, files: Files, session_id: str) -> None:
        self._files = files
        self._session_id = session_id

    def write(self, path: str, content: Content) -> WriteResult:
        """Write a file whole, from text, bytes, a local file or pieces; see :meth:`Files.write`."""
        return self._files.write(session_id=self._session_id, path=path, content=content)

    def read(self, path: str) -> str:
        """Return a text file; see :meth:`Files.read`."""
        return self._files.read(session_id=self._session_id, path=path)

    def read_bytes(self, path: str) -> bytes:
        """Return the bytes of a file; see :meth:`Files.read_bytes`."""
        return self._files.read_bytes(session_id=self._session_id, path=path)

    def list(self, path: str = "", *, recursive: bool = False) -> builtins.list[FileInfo]:
        """Return the children of a folder, or all below it; see :meth:`Files.list`."""
        return self._files.list(session_id=self._session_id, path=path, recursive=recursive)

    def stat(self, path: str) -> FileInfo:
        """Return size, date and type; see :meth:`Files.stat`."""
        return self._files.stat(session_id=self._session_id, path=path)

    def exists(self, path: str) -> bool:
        """Whether it is there; see :meth:`Files.exists`."""
        return self._files.exists(session_id=self._session_id, path=path)

    def mkdir(self, path: str) -> None:
        """Make a folder and those above it; see :meth:`Files.mkdir`."""
        self._files.mkdir(session_id=self._session_id, path=path)

    def move(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """Give a file or folder another path; see :meth:`Files.move`."""
        self._files.move(session_id=self._session_id, source=source, target=target, overwrite=overwrite)

    def delete(self, path: str, *, recursive: bool = False, missing_ok: bool = False) -> None:
        """Delete a file or folder; see :meth:`Files.delete`."""
        self._files.delete(session_id=self._session_id, path=path, recursive=recursive, missing_ok=missing_ok)

    def upload(
        self,
        local: PathArgument,
        remote: str,
        *,
        ignore: Union[str, Iterable[str]] = (),
        progress: Optional[Progress] = None,
        delete: bool = True,
    ) -> TransferResult:
        """Make a path here what a local file or folder is; see :meth:`Files.upload`."""
        return self._files.upload(
            session_id=self._session_id,
            local=local,
            remote=remote,
            ignore=ignore,
            progress=progress,
            delete=delete,
        )

    def download(
        self,
        remote: str,
        local: PathArgument,
        *,
        ignore: Union[str, Iterable[str]] = (),
        progress: Optional[Progress] = None,
        delete: bool = True,
    ) -> TransferResult:
        """Make a local path what a file or folder here is; see :meth:`Files.download`."""
        return self._files.download(
            session_id=self._session_id,
            remote=remote,
            local=local,
            ignore=ignore,
            progress=progress,
            delete=delete,
        )
