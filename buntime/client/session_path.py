"""A path of a session, with the methods of :class:`pathlib.Path`."""

from __future__ import annotations

import builtins
import os
from glob import escape
from pathlib import PurePosixPath
from typing import IO, Any, Literal, Optional, Union, overload

import buntime
from buntime._support.export import export
from buntime.errors import InvalidRequestError, SessionFileNotFoundError
from buntime.helpers.content import Content
from buntime.models import FileInfo, WriteResult

PathPart = Union[str, "os.PathLike[str]"]


class SessionPath:
    """A path in the workspace of a session; :meth:`SessionFiles.path` returns one.

    Two paths are equal if they name the same file of the same session. The methods raise the errors of
    :class:`SessionFiles`.
    """

    def __init__(self, files: buntime.SessionFiles, path: PurePosixPath) -> None:
        self._files = files
        self._path = path

    def _of(self, path: PathPart) -> SessionPath:
        return SessionPath(self._files, PurePosixPath(path))

    def __str__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        return f"<SessionPath {str(self)!r} of {self._files._session_id}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SessionPath):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, PurePosixPath]:
        return self._files._session_id, self._path

    def __truediv__(self, other: PathPart) -> SessionPath:
        return self._of(self._path / other)

    @property
    def name(self) -> str:
        """The last part, ``"b.txt"`` of ``a/b.txt``."""
        return self._path.name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return self._path.stem

    @property
    def suffix(self) -> str:
        """The suffix of the last part, such as ``".txt"``, or an empty text."""
        return self._path.suffix

    @property
    def parts(self) -> tuple[str, ...]:
        """All parts."""
        return self._path.parts

    @property
    def parent(self) -> SessionPath:
        """The folder that contains it."""
        return self._of(self._path.parent)

    def with_name(self, name: str) -> SessionPath:
        """Return the path with another last part."""
        return self._of(self._path.with_name(name))

    def with_suffix(self, suffix: str) -> SessionPath:
        """Return the path with another suffix."""
        return self._of(self._path.with_suffix(suffix))

    def read_text(self) -> str:
        """Return the content of a text file."""
        return self._files.read(str(self))

    def read_bytes(self) -> bytes:
        """Return the bytes of a file."""
        return self._files.read_bytes(str(self))

    def write_text(self, text: str) -> WriteResult:
        """Write a text file, and the folders above it."""
        return self._files.write(str(self), text)

    def write_bytes(self, content: Content) -> WriteResult:
        """Write a file, and the folders above it."""
        return self._files.write(str(self), content)

    @overload
    def open(self, mode: Literal["r", "w", "a", "x"] = "r") -> IO[str]: ...
    @overload
    def open(self, mode: Literal["rb", "wb", "ab", "xb"]) -> IO[bytes]: ...
    @overload
    def open(self, mode: str) -> IO[Any]: ...
    def open(self, mode: str = "r") -> IO[Any]:
        """Open it; see :meth:`SessionFiles.open`."""
        return self._files.open(str(self), mode)

    def _info(self) -> Optional[FileInfo]:
        try:
            return self.stat()
        except SessionFileNotFoundError:
            return None

    def stat(self) -> FileInfo:
        """Return size, date and type."""
        return self._files.stat(str(self))

    def exists(self) -> bool:
        """Whether it is a file or folder."""
        return self._info() is not None

    def is_file(self) -> bool:
        """Whether it is a file."""
        info = self._info()
        return info is not None and info.type == "file"

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        info = self._info()
        return info is not None and info.type == "directory"

    def iterdir(self) -> builtins.list[SessionPath]:
        """Return the children of a folder."""
        return [self._of(file.path) for file in self._files.list(self._folder())]

    def glob(self, pattern: str) -> builtins.list[SessionPath]:
        """Return what matches a pattern below a folder; see :meth:`SessionFiles.glob`."""
        matches = self._files.glob(f"{escape(self._folder())}/{pattern}" if self._folder() else pattern)
        return [self._of(file.path) for file in matches]

    def _folder(self) -> str:
        return "" if str(self) == "." else str(self)

    def mkdir(self, *, parents: bool = True, exist_ok: bool = True) -> None:
        """Create the folder; by default also those above it, and without an error if it exists."""
        with self._files._context.caller.one_deadline():
            if not parents and not self.parent.is_dir():
                raise SessionFileNotFoundError(f"the session has no folder {str(self.parent)!r}")
            if not exist_ok and self.exists():
                raise InvalidRequestError(f"{str(self)!r} exists already")
            self._files.mkdir(str(self))

    def unlink(self, *, missing_ok: bool = False) -> None:
        """Delete a file or an empty folder."""
        self._files.delete(str(self), missing_ok=missing_ok)

    def rename(self, target: Union[PathPart, SessionPath], *, overwrite: bool = False) -> SessionPath:
        """Rename it, and return the new path."""
        self._files.move(str(self), str(target), overwrite=overwrite)
        return self._of(str(target))


export("buntime", SessionPath)
