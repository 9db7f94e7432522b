"""The files of any session."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator
from typing import IO, Any, Literal, Optional, Union, overload

import buntime
from buntime import _validate
from buntime._support.export import export
from buntime._support.other_names import checks_arguments
from buntime._support.typing import Unpack
from buntime.client.context import Context
from buntime.client.files import SessionFiles
from buntime.client.session_path import SessionPath
from buntime.helpers.content import Content
from buntime.helpers.transfers import PathArgument, TransferOptions
from buntime.models import FileInfo, TransferResult, WriteResult


@checks_arguments
class Files:
    """The files of any session: the methods of :class:`SessionFiles` with a ``session_id``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def _of(self, session_id: str) -> SessionFiles:
        return SessionFiles(self._context, _validate.session_id(session_id))

    def write(self, *, session_id: str, path: str, content: Content) -> WriteResult:
        """Write a complete file; see :meth:`SessionFiles.write`."""
        return self._of(session_id).write(path, content)

    def read(self, *, session_id: str, path: str) -> str:
        """Return the content of a text file; see :meth:`SessionFiles.read`."""
        return self._of(session_id).read(path)

    def read_bytes(self, *, session_id: str, path: str) -> bytes:
        """Return the bytes of a file; see :meth:`SessionFiles.read_bytes`."""
        return self._of(session_id).read_bytes(path)

    @overload
    def open(self, *, session_id: str, path: str, mode: Literal["r", "w", "a", "x"] = "r") -> IO[str]: ...
    @overload
    def open(self, *, session_id: str, path: str, mode: Literal["rb", "wb", "ab", "xb"]) -> IO[bytes]: ...
    @overload
    def open(self, *, session_id: str, path: str, mode: str) -> IO[Any]: ...
    def open(self, *, session_id: str, path: str, mode: str = "r") -> IO[Any]:
        """Return a file object; see :meth:`SessionFiles.open`."""
        return self._of(session_id).open(path, mode)

    def path(self, *, session_id: str, path: str = "") -> SessionPath:
        """Return a path with methods like those of pathlib; see :meth:`SessionFiles.path`."""
        return self._of(session_id).path(path)

    def list(self, *, session_id: str, path: str = "", recursive: bool = False) -> builtins.list[FileInfo]:
        """Return the children of a folder; see :meth:`SessionFiles.list`."""
        return self._of(session_id).list(path, recursive=recursive)

    def stat(self, *, session_id: str, path: str) -> FileInfo:
        """Return size, date and type; see :meth:`SessionFiles.stat`."""
        return self._of(session_id).stat(path)

    def exists(self, *, session_id: str, path: str) -> bool:
        """Whether a path exists; see :meth:`SessionFiles.exists`."""
        return self._of(session_id).exists(path)

    def mkdir(self, *, session_id: str, path: str) -> None:
        """Create a folder; see :meth:`SessionFiles.mkdir`."""
        self._of(session_id).mkdir(path)

    def move(self, *, session_id: str, source: str, target: str, overwrite: bool = False) -> None:
        """Rename a file or folder; see :meth:`SessionFiles.move`."""
        self._of(session_id).move(source, target, overwrite=overwrite)

    def copy(self, *, session_id: str, source: str, target: str, overwrite: bool = False) -> None:
        """Copy a file or folder; see :meth:`SessionFiles.copy`."""
        self._of(session_id).copy(source, target, overwrite=overwrite)

    def append(self, *, session_id: str, path: str, content: Content) -> WriteResult:
        """Write to the end of a file; see :meth:`SessionFiles.append`."""
        return self._of(session_id).append(path, content)

    def glob(self, *, session_id: str, pattern: str) -> builtins.list[FileInfo]:
        """Return what matches a pattern; see :meth:`SessionFiles.glob`."""
        return self._of(session_id).glob(pattern)

    def walk(
        self, *, session_id: str, path: str = ""
    ) -> Iterator[tuple[str, builtins.list[str], builtins.list[str]]]:
        """Yield each folder with its children; see :meth:`SessionFiles.walk`."""
        return self._of(session_id).walk(path)

    def watch(
        self,
        *,
        session_id: str,
        path: str = "",
        ignore: Union[str, Iterable[str]] = (),
        timeout: Optional[float] = None,
    ) -> buntime.FileWatch:
        """Iterate over changes; see :meth:`SessionFiles.watch`."""
        return self._of(session_id).watch(path, ignore=ignore, timeout=timeout)

    def show(self, *, session_id: str, path: str) -> buntime.FileView:
        """Return what a notebook displays for a file; see :meth:`SessionFiles.show`."""
        return self._of(session_id).show(path)

    def chmod(self, *, session_id: str, path: str, mode: int) -> None:
        """Set permissions; see :meth:`SessionFiles.chmod`."""
        self._of(session_id).chmod(path, mode)

    def delete(
        self, *, session_id: str, path: str, recursive: bool = False, missing_ok: bool = False
    ) -> None:
        """Delete a file or folder; see :meth:`SessionFiles.delete`."""
        self._of(session_id).delete(path, recursive=recursive, missing_ok=missing_ok)

    def upload(
        self, *, session_id: str, local: PathArgument, remote: str, **options: Unpack[TransferOptions]
    ) -> TransferResult:
        """Send a local file or folder; see :meth:`SessionFiles.upload`."""
        return self._of(session_id).upload(local, remote, **options)

    def download(
        self, *, session_id: str, remote: str, local: PathArgument, **options: Unpack[TransferOptions]
    ) -> TransferResult:
        """Fetch a file or folder; see :meth:`SessionFiles.download`."""
        return self._of(session_id).download(remote, local, **options)


export("buntime", Files)
