"""An fsspec file system over the files of sessions (extra ``fsspec``).

fsspec finds it by the entry point ``fsspec.specs``; nothing else of the package imports it. The module is
private, as fsspec has no types.
"""

from __future__ import annotations

from typing import Any, Optional

from fsspec.spec import AbstractFileSystem  # type: ignore[import-untyped]  # it has no types

from buntime.client.client import Buntime
from buntime.client.files import SessionFiles
from buntime.errors import InvalidRequestError
from buntime.models import FileInfo


class SessionFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """The files of sessions, as ``buntime://SESSION_ID/PATH``.

    ``storage_options={"client": client}`` passes a client; by default a new one is made from the environment.
    A missing file is a ``FileNotFoundError``, and the other errors are those of the client.
    """

    protocol = "buntime"
    root_marker = ""

    def __init__(self, client: Optional[Buntime] = None, **options: Any) -> None:
        super().__init__(**options)
        self.client: Buntime = Buntime() if client is None else client

    def _locate(self, path: str) -> tuple[SessionFiles, str]:
        """Return the files of the session that a path begins with, and the path in it."""
        session_id, _, inside = str(self._strip_protocol(path)).strip("/").partition("/")
        if not session_id:
            raise ValueError(f"{path!r} names no session; a path is buntime://SESSION_ID/PATH")
        return self.client.sessions.attach(session_id).files, inside

    def _entry(self, path: str, inside: str, info: FileInfo) -> dict[str, Any]:
        """Return the entry of a file or folder; ``path`` has ``inside`` at its end, and ``info`` its own."""
        session_id = str(self._strip_protocol(path)).strip("/").partition("/")[0]
        name = f"{session_id}/{info.path if info.path or not inside else inside}".rstrip("/")
        return {"name": name, "size": info.size, "type": info.type, "modified": info.modified}

    def ls(self, path: str, detail: bool = True, **_options: Any) -> list[Any]:
        """Return the entries of a folder, or that of a file; with ``detail`` as dictionaries."""
        files, inside = self._locate(path)
        try:
            entries = [self._entry(path, inside, info) for info in files.list(inside)]
        except InvalidRequestError:
            entries = [self.info(path)]
            if entries[0]["type"] == "directory":  # it cannot be read
                raise
        return entries if detail else [entry["name"] for entry in entries]

    def info(self, path: str, **_options: Any) -> dict[str, Any]:
        """Return name, size, type and date of a file or folder."""
        files, inside = self._locate(path)
        if not inside:
            return {"name": str(self._strip_protocol(path)).strip("/"), "size": 0, "type": "directory"}
        return self._entry(path, inside, files.stat(inside))

    def modified(self, path: str) -> Any:
        """Return when a file was modified."""
        return self.info(path)["modified"]

    def _open(self, path: str, mode: str = "rb", *_options: Any, **_more: Any) -> Any:
        files, inside = self._locate(path)
        return files.open(inside, mode)

    def cat_file(
        self, path: str, start: Optional[int] = None, end: Optional[int] = None, **_options: Any
    ) -> bytes:
        """Return the bytes of a file, or those from ``start`` to ``end``, which may count from its end."""
        files, inside = self._locate(path)
        if start is None and end is None:
            return files.read_bytes(inside)
        first, last, _ = slice(start, end).indices(files.stat(inside).size)
        with files.open(inside, "rb") as file:
            file.seek(first)
            return bytes(file.read(max(0, last - first)))

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_options: Any) -> None:
        """Write a file; with ``mode="create"`` an existing one is a ``FileExistsError``."""
        files, inside = self._locate(path)
        if mode == "create" and files.exists(inside):
            raise FileExistsError(path)
        files.write(inside, value)

    def mkdir(self, path: str, create_parents: bool = True, **_options: Any) -> None:
        """Create a folder and those above it; an existing one is a ``FileExistsError``."""
        files, inside = self._locate(path)
        if files.exists(inside):
            raise FileExistsError(path)
        if not create_parents and not files.exists(inside.rpartition("/")[0] or "."):
            raise FileNotFoundError(path)
        files.mkdir(inside)

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """Create a folder and those above it."""
        if not (exist_ok and self.isdir(path)):
            self.mkdir(path)

    def rmdir(self, path: str) -> None:
        """Delete an empty folder."""
        files, inside = self._locate(path)
        files.delete(inside)

    def rm(self, path: Any, recursive: bool = False, maxdepth: Optional[int] = None) -> None:
        """Delete files; with ``recursive`` folders, too."""
        if maxdepth is not None:
            super().rm(path, recursive, maxdepth)
            return
        for each in [path] if isinstance(path, str) else path:
            files, inside = self._locate(each)
            files.delete(inside, recursive=recursive)

    def rm_file(self, path: str) -> None:
        """Delete a file."""
        self.rm(path)

    def cp_file(self, path1: str, path2: str, **_options: Any) -> None:
        """Copy a file within a session, or between two; of a folder, make only the folder."""
        source, inside = self._locate(path1)
        target, other = self._locate(path2)
        if self.isdir(path1):
            target.mkdir(other)
        elif self._same_session(path1, path2):
            source.copy(inside, other, overwrite=True)
        else:
            target.write(other, source.read_bytes(inside))

    def mv(self, path1: str, path2: str, *options: Any, **more: Any) -> None:
        """Move a file or folder."""
        if self._same_session(path1, path2):
            files, inside = self._locate(path1)
            files.move(inside, self._locate(path2)[1], overwrite=True)
        else:
            super().mv(path1, path2, *options, **more)

    def _same_session(self, path1: str, path2: str) -> bool:
        names = {str(self._strip_protocol(path)).strip("/").partition("/")[0] for path in (path1, path2)}
        return len(names) == 1
