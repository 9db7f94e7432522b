"""The files of a session."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import IO, Any, Literal, Optional, Union, overload

import buntime
from buntime import _validate
from buntime._support.export import export
from buntime._support.other_names import check_arguments, checks_arguments
from buntime._support.typing import Unpack
from buntime.client.context import Context
from buntime.client.session_path import SessionPath
from buntime.errors import InvalidRequestError, SessionFileNotFoundError
from buntime.helpers.content import ChunkedContent, Content, chunks_of
from buntime.helpers.downloads import Downloads
from buntime.helpers.file_changes import append_chunks, copy, exists, move, stat, walk_folders
from buntime.helpers.listing import children, descendants, parse_pattern
from buntime.helpers.runner import errno_of
from buntime.helpers.transfers import PathArgument, TransferOptions
from buntime.helpers.uploads import Uploads
from buntime.models import FileInfo, TransferResult, WriteResult
from buntime.wire.responses import relative


@checks_arguments
class SessionFiles:
    """The files of one session. Paths are relative to ``/workspace``, or absolute below it.

    In addition to the errors of each method, all raise :class:`~buntime.SessionFileNotFoundError` (also a
    ``FileNotFoundError``) if a file or folder does not exist, :class:`~buntime.InvalidRequestError` for a
    path outside the workspace or of the wrong type, :class:`~buntime.ResourceLimitError` if the disk is full,
    :class:`~buntime.SessionNotFoundError` if the session has ended, and the errors of every call.
    """

    def __init__(self, context: Context, session_id: str) -> None:
        self._context = context
        self._session_id = session_id

    @property
    def _content(self) -> ChunkedContent:
        return ChunkedContent(self._context.files, self._context.helpers)

    def write(self, path: str, content: Content) -> WriteResult:
        """Write a complete file, and the folders above it. An existing file is replaced.

        Arguments:
            path: of the file.
            content: text (written as UTF-8), bytes, the path of a local file as ``os.PathLike``, an open
                binary file, or an iterable of ``bytes``, such as a download. It may be larger than the plan's
                limit for a file. It is then sent in pieces, one of which is in memory at a time, checked by
                its hash, and replaces the existing file at the end.

        Raises :class:`~buntime.ConflictError` if something else writes the same content to it meanwhile.
        """
        _validate.file("path", path)
        with self._context.caller.one_deadline():
            return self._content.write(self._session_id, path, content)

    def read(self, path: str) -> str:
        """Return the content of a text file; an error if it is not UTF-8."""
        _validate.file("path", path)
        with self._context.caller.one_deadline():
            return self._content.read_text(self._session_id, path)

    def read_bytes(self, path: str) -> bytes:
        """Return the bytes of a file of any size.

        Raises :class:`~buntime.ConflictError` if it changes while it is read.
        """
        _validate.file("path", path)
        with self._context.caller.one_deadline():
            return b"".join(self._content.read(self._session_id, path))

    @overload
    def open(self, path: str, mode: Literal["r", "w", "a", "x"] = "r") -> IO[str]: ...
    @overload
    def open(self, path: str, mode: Literal["rb", "wb", "ab", "xb"]) -> IO[bytes]: ...
    @overload
    def open(self, path: str, mode: str) -> IO[Any]: ...
    def open(self, path: str, mode: str = "r") -> IO[Any]:
        """Return a file object, for UTF-8 text or with ``b`` in ``mode`` for bytes.

        ``r`` reads, with ``seek`` and ``tell``; a file that changes meanwhile raises
        :class:`~buntime.ConflictError`. ``w``, ``a`` and ``x`` (the file must not exist: ``FileExistsError``)
        write when the file is closed, and nothing if its block raises.
        """
        from buntime.client.file_objects import MODES, open_file

        if mode not in MODES:
            raise ValueError(f"mode must be one of {', '.join(sorted(MODES))}, not {mode!r}")
        _validate.file("path", path)
        return open_file(self, self._context.helpers, self._session_id, path, mode)

    def path(self, path: str = "") -> SessionPath:
        """Return a path with methods like those of :class:`pathlib.Path`; nothing is sent."""
        return SessionPath(self, PurePosixPath(relative(_validate.folder("path", path))))

    def list(self, path: str = "", *, recursive: bool = False) -> builtins.list[FileInfo]:
        """Return the direct children of a folder, or everything below it, sorted by path.

        Links to folders are not followed. Raises :class:`~buntime.SessionFileNotFoundError` if the folder
        does not exist.
        """
        _validate.folder("path", path)
        _validate.flag("recursive", recursive)
        with self._context.caller.one_deadline():
            if recursive:
                return descendants(self._context.helpers, self._session_id, path)
            return children(self._context.files, self._session_id, path)

    def stat(self, path: str) -> FileInfo:
        """Return size, date and type of a file or folder. For a link, they are those of its target."""
        return stat(self._context.helpers, self._session_id, _validate.path("path", path))

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder with this path."""
        return exists(self._context.helpers, self._session_id, _validate.path("path", path))

    def mkdir(self, path: str) -> None:
        """Create a folder and those above it; no error if it exists."""
        self._run("file_mkdir", path=_validate.path("path", path))

    def move(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """Rename a file or folder, and create the folders above the new path.

        ``target`` is the new path itself, never a folder to move into. If it exists, that is an
        :class:`~buntime.InvalidRequestError`; with ``overwrite``, a file may replace a file.

        Raises :class:`~buntime.SessionFileNotFoundError` if ``source`` does not exist. With ``overwrite`` and
        ``maybe_executed``, an attempt whose response was lost may have moved it.
        """
        _validate.path("source", source)
        _validate.path("target", target)
        _validate.flag("overwrite", overwrite)
        with self._context.caller.one_deadline():
            move(self._context.helpers, self._session_id, source, target, overwrite)

    def copy(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """Copy a file or folder with its permissions; ``target`` is the new path, as for :meth:`move`.

        The copy gets its name when it is complete. Links inside a folder stay links.
        """
        _validate.path("source", source)
        _validate.path("target", target)
        _validate.flag("overwrite", overwrite)
        with self._context.caller.one_deadline():
            copy(self._context.helpers, self._session_id, source, target, overwrite)

    def append(self, path: str, content: Content) -> WriteResult:
        """Write to the end of a file, and create it if needed; return its path and new size.

        ``content`` is as for :meth:`write`. It is sent in pieces, and each is written once: after a lost
        response, the file is compared with the piece. Raises :class:`~buntime.ConflictError` if others write
        to the file all the time.
        """
        _validate.file("path", path)
        with self._context.caller.one_deadline():
            return append_chunks(self._context.helpers, self._session_id, path, chunks_of(content))

    def glob(self, pattern: str) -> builtins.list[FileInfo]:
        """Return the files and folders whose path matches, sorted by path.

        ``*`` and ``?`` match within a name, ``**`` any number of folders, ``[a-z]`` and ``[!a-z]`` one
        character; a ``/`` at the end matches folders only. A folder that does not exist matches nothing.
        """
        folder, recursive, matches = parse_pattern(_validate.path("pattern", pattern))
        try:
            files = self.list(folder, recursive=recursive)
        except SessionFileNotFoundError:
            return []
        except InvalidRequestError as error:
            # It is a file, for which the service has no code, or cannot exist. Others cannot be read.
            if errno_of(error) not in {None, "ENOTDIR", "ENAMETOOLONG"}:
                raise
            return []
        return [file for file in files if matches(file)]

    def walk(self, path: str = "") -> Iterator[tuple[str, builtins.list[str], builtins.list[str]]]:
        """Yield each folder as ``(path, names of folders, names of files)``, like :func:`os.walk`, top down.

        Everything is listed by the first step. Folders that you remove from the list of names are skipped.
        Links to folders are named, not followed.
        """
        _validate.folder("path", path)
        return walk_folders(relative(path), lambda: self.list(path, recursive=True))

    def watch(
        self, path: str = "", *, ignore: Union[str, Iterable[str]] = (), timeout: Optional[float] = None
    ) -> buntime.FileWatch:
        """Watch a file, or everything below a folder; iterate over the result to receive each change.

        It yields :class:`~buntime.FileEvent` values for what changes from now on, by any program or client,
        as ``created``, ``changed`` or ``deleted``; a rename is two of them. The session looks at names, sizes
        and dates: of changes that follow each other within some milliseconds, the last state is reported.

        Arguments:
            path: of the file or folder; it need not exist later on.
            ignore: patterns as for :meth:`upload`; what is below an ignored folder is not looked at.
            timeout: seconds that one step of the loop waits; then it raises
                :class:`~buntime.WaitTimeoutError`. ``None`` for no limit.

        Raises :class:`~buntime.InvalidRequestError` for more than 100,000 paths, and
        :class:`~buntime.ConflictError` in the loop if the session lost the watch.
        """
        from buntime.client.file_watch import FileWatch

        return FileWatch(self._context, self._session_id, _validate.folder("path", path), ignore, timeout)

    def show(self, path: str) -> buntime.FileView:
        """Return what a notebook displays for a file: an image, a table, or text; for a folder its list.

        PNG, JPEG, GIF and SVG are images, up to 4 MB. CSV, TSV and JSON are tables of at most 20 rows; of a
        large file, the first 256 KB are read. Nothing in a file becomes markup or a script of the notebook.
        """
        from buntime.client.file_view import view_file

        with self._context.caller.one_deadline():
            return view_file(self, path)

    def chmod(self, path: str, mode: int) -> None:
        """Set the permissions of a file or folder, such as ``0o755``. The fake has none and only checks."""
        _validate.path("path", path)
        if _validate.count("mode", mode, minimum=0) > 0o777:
            raise ValueError(f"mode must be at most 0o777, not {mode:#o}")
        self._run("file_chmod", path=path, mode=mode)

    def delete(self, path: str, *, recursive: bool = False, missing_ok: bool = False) -> None:
        """Delete a file, a link (not its target), or an empty folder; with ``recursive`` any folder.

        Raises :class:`~buntime.SessionFileNotFoundError` if it does not exist, unless ``missing_ok``.
        """
        _validate.path("path", path)
        _validate.flag("recursive", recursive)
        _validate.flag("missing_ok", missing_ok)
        try:
            self._run("file_delete", path=path, recursive=recursive, missing_ok=missing_ok)
        except SessionFileNotFoundError as error:
            # An attempt with a lost response may have deleted it.
            if not error.maybe_executed:
                raise

    def upload(self, local: PathArgument, remote: str, **options: Unpack[TransferOptions]) -> TransferResult:
        """Copy a local file or folder to a path of the session.

        The *contents* of a folder are copied into the folder ``remote``, which is created if needed: files
        with a different hash are sent. Files that exist only in the session stay, unless ``delete``. Small
        files are sent many per call, large ones in pieces. Every step is retried like a read. An upload is
        not atomic: repeat one that failed.

        Arguments:
            local: a file or folder. A link inside the folder is sent as its target, if that is in the folder.
            remote: the path in the session; for a folder, ``""`` is the workspace.
            options: ``ignore``, patterns of files that are neither sent nor deleted: ``*.log`` and
                ``node_modules`` match at any depth, ``build/*.js`` from the top, ``cache/`` only folders;
                ``**`` matches any depth. ``progress``, called with the bytes done, the bytes in total, and
                the name of the file. ``delete``, whether to delete files that exist only in the session, and
                to replace a file by a folder, or a link or folder by a file; by default ``False``.

        Raises, before anything is sent, ``FileNotFoundError`` if ``local`` does not exist, ``ValueError`` for
        a file that cannot be sent, ``PermissionError`` for one that cannot be read, and ``FileExistsError``
        if only ``delete`` would make room.
        """
        _validate.folder("remote", remote)
        check_arguments("SessionFiles.upload", options, TransferOptions.__annotations__)
        with self._context.caller.one_deadline():
            uploads = Uploads(self._context.helpers, self._content)
            return uploads.upload(self._session_id, local, remote, options)

    def download(
        self, remote: str, local: PathArgument, **options: Unpack[TransferOptions]
    ) -> TransferResult:
        """Copy a file or folder of the session to a local path.

        Like :meth:`upload` in the other direction: the contents of a folder are copied into ``local``, and
        with ``delete=True`` files that exist only in ``local`` are deleted. Nothing is written outside
        ``local``, whatever names the session lists and wherever links in ``local`` lead. A file appears under
        its name only when it is complete and has the hash that the session reported. A file that vanishes or
        cannot be read is passed over and named in ``skipped`` of the result.

        Raises ``FileExistsError`` for a device or a pipe in the way, and if only ``delete`` would make room;
        ``ValueError`` if it would delete files in the current folder, the home folder or one above them; and
        :class:`~buntime.ConflictError` if a file changes meanwhile.
        """
        _validate.folder("remote", remote)
        check_arguments("SessionFiles.download", options, TransferOptions.__annotations__)
        with self._context.caller.one_deadline():
            downloads = Downloads(self._context.helpers, self._content)
            return downloads.download(self._session_id, remote, local, options)

    def _run(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self._context.helpers.run(self._session_id, op, idempotent=True, **arguments)


export("buntime", SessionFiles)
