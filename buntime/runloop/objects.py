"""Objects of the storage: created, sent to a presigned URL, completed; and read from one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Optional, Union

from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime.runloop import transfer
from buntime.runloop.connection import Connection, RequestOptions
from buntime.runloop.folder_archive import Filter, folder_archive
from buntime.runloop.resource import Operations, Resource
from buntime.runloop.wire.multipart import content_body
from buntime.runloop.wire.views.storage import ObjectDownloadURLView, ObjectView

Content = Union[str, bytes, os.PathLike[str], IO[bytes], Iterable[bytes]]
_TEXT = (".txt", ".html", ".css", ".js", ".json", ".xml", ".yaml", ".yml", ".md", ".csv")
_CONTENT_TYPES = {"tgz": (".tgz", ".tar.gz"), "gzip": (".gz",), "tar": (".tar",), "text": _TEXT}
_CLEANUP = 5.0


class StorageObject(Resource[ObjectView]):
    """An object of the storage; ``upload_url`` is where its content is sent, if it has just been created."""

    _calls = "objects"

    def __init__(self, connection: Connection, object_id: str, view: Optional[ObjectView] = None) -> None:
        super().__init__(connection, object_id)
        self._view = view

    @property
    def upload_url(self) -> Optional[str]:
        """The URL to which the content is sent, until the object is complete."""
        return None if self._view is None else self._view.upload_url

    def refresh(self, **options: Unpack[RequestOptions]) -> ObjectView:
        """Return the present state, as :meth:`get_info` does."""
        return self.get_info(**options)

    def upload_content(self, content: Content, **options: Unpack[RequestOptions]) -> None:
        """Send the content: bytes, text, a ``Path``, an open file or an iterable of bytes, of any size.

        Raises ``RuntimeError`` if this is not a new object of :meth:`StorageObjectOps.create`.
        """
        if self._view is None or self._view.upload_url is None:
            raise RuntimeError(f"the object {self._id} has no upload_url; create a new one")
        body = content_body(content)
        with self._connection.waits("upload_content", options) as (connection, _):
            transfer.upload(connection, self._view, body)

    def complete(self, **options: Unpack[RequestOptions]) -> ObjectView:
        """End the upload: from then on the object can be read, and not changed."""
        view: ObjectView = self._call("complete", **options)
        self._view = None
        return view

    def get_download_url(self, **params: Any) -> ObjectDownloadURLView:
        """Return a URL for the content, which needs no key, for ``duration_seconds`` (an hour by default)."""
        return self._call("download", **params)

    def download_as_bytes(self, **params: Any) -> bytes:
        """Return the content; ``params`` as for :meth:`get_download_url`."""
        with self._connection.waits("download_as_bytes", params, "objects.download") as (connection, fields):
            view = connection.call("objects.download", self._id, **fields)
            return transfer.download(connection, view.download_url)

    def download_as_text(self, **params: Any) -> str:
        """Return the content, which is UTF-8 (``UnicodeDecodeError`` if it is not)."""
        return self.download_as_bytes(**params).decode()

    def download_to(self, path: Union[str, os.PathLike[str]], **params: Any) -> None:
        """Write the content to a local file, in constant memory; after an error ``path`` is as before."""
        with self._connection.waits("download_to", params, "objects.download") as (connection, fields):
            view = connection.call("objects.download", self._id, **fields)
            transfer.download_to(connection, view.download_url, Path(path))

    def delete(self, **options: Unpack[RequestOptions]) -> ObjectView:
        """Delete the object."""
        return self._call("delete", **options)

    def as_build_context(self) -> dict[str, str]:
        """Return the ``build_context=`` of a blueprint."""
        return {"type": "object", "object_id": self._id}


class StorageObjectOps(Operations[StorageObject]):
    """Creates, uploads and finds objects.

    The ``params`` of an upload are ``metadata``, ``ttl`` (a ``timedelta``) or ``ttl_ms`` after which the
    object is deleted, and the options of a call. All of an upload is one call, with one ``timeout``; if it
    fails, the object is deleted.
    """

    _resource = StorageObject

    def create(self, **params: Any) -> StorageObject:
        """Create an object without content: ``name``, ``content_type``, ``metadata``, ``ttl_ms``."""
        view = self._connection.call("objects.create", **params)
        return StorageObject(self._connection, view.id, view)

    def from_id(self, object_id: str) -> StorageObject:
        """Return an object that exists; nothing is sent."""
        return StorageObject(self._connection, object_id)

    def upload_from_file(
        self,
        file_path: Union[str, os.PathLike[str]],
        *,
        name: Optional[str] = None,
        content_type: Optional[str] = None,
        **params: Any,
    ) -> StorageObject:
        """Upload a local file. By default its suffix decides the type, and the object has its name."""
        path = Path(file_path)
        kinds = (kind for kind, suffixes in _CONTENT_TYPES.items() if path.name.lower().endswith(suffixes))
        content_type = content_type or next(kinds, "unspecified")
        return self._upload("upload_from_file", path, name or path.name, content_type, params)

    def upload_from_dir(
        self,
        dir_path: Union[str, os.PathLike[str]],
        *,
        name: Optional[str] = None,
        ignore: Optional[Filter] = None,
        **params: Any,
    ) -> StorageObject:
        """Upload a local folder as a compressed archive, which is the same for the same files.

        ``ignore`` takes each ``tarfile.TarInfo`` and returns it, or ``None`` to leave it out. Raises
        ``ValueError`` for anything but files, folders, and links that stay in the folder.
        """
        path = Path(dir_path)
        if not path.is_dir():
            raise ValueError(f"dir_path must be a folder, and {path} is not one")
        with folder_archive(path, ignore) as file:
            return self._upload("upload_from_dir", file, name or f"{path.name}.tar.gz", "tgz", params)

    def upload_from_text(self, text: str, *, name: str, **params: Any) -> StorageObject:
        """Upload a text as UTF-8."""
        return self._upload("upload_from_text", text, name, "text", params)

    def upload_from_bytes(self, data: bytes, *, name: str, content_type: str, **params: Any) -> StorageObject:
        """Upload bytes of a ``content_type``: unspecified, text, binary, gzip, tar or tgz."""
        return self._upload("upload_from_bytes", data, name, content_type, params)

    def _upload(
        self, call: str, content: Any, name: str, content_type: str, params: dict[str, Any]
    ) -> StorageObject:
        with self._connection.waits(call, params, "objects.create", "ttl") as (connection, fields):
            ttl = fields.pop("ttl", None)
            if ttl is not None:
                if not isinstance(ttl, timedelta):
                    raise TypeError(f"ttl must be a timedelta, not {type(ttl).__name__}; or pass ttl_ms=")
                fields["ttl_ms"] = ttl // timedelta(milliseconds=1)
            body = content_body(content)
            view = connection.call("objects.create", name=name, content_type=content_type, **fields)
            try:
                transfer.upload(connection, view, body)
                connection.call("objects.complete", view.id)
            except BaseException:
                transfer.discard(connection.for_cleanup(_CLEANUP), view)
                raise
        return StorageObject(self._connection, view.id)


export("buntime.runloop", StorageObject, StorageObjectOps)
