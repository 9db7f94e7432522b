"""Files on a devbox."""

from __future__ import annotations

from typing import Any

from buntime._support.export import export
from buntime._support.typing import Unpack
from buntime._support.unpicklable import NotPicklable
from buntime.runloop.connection import Connection, RequestOptions
from buntime.runloop.wire.requests import names_keywords
from buntime.runloop.wire.views.devboxes import ExecutionDetailView


class FileInterface(NotPicklable):
    """Reads and writes files. Relative paths are below ``/home/user``."""

    def __init__(self, connection: Connection, devbox_id: str) -> None:
        self._connection = connection
        self._devbox_id = devbox_id

    @names_keywords
    def read(self, *, file_path: str, **options: Unpack[RequestOptions]) -> str:
        """Return the text of a file; bytes that are not UTF-8 become U+FFFD, see :meth:`download`."""
        return self._connection.call(
            "devboxes.read_file_contents", self._devbox_id, file_path=file_path, **options
        )

    @names_keywords
    def write(
        self, *, file_path: str, contents: str, **options: Unpack[RequestOptions]
    ) -> ExecutionDetailView:
        """Write a text file, and create its folders."""
        return self._connection.call(
            "devboxes.write_file_contents", self._devbox_id, file_path=file_path, contents=contents, **options
        )

    @names_keywords
    def download(self, *, path: str, **options: Unpack[RequestOptions]) -> bytes:
        """Return the bytes of a file."""
        return self._connection.call("devboxes.download_file", self._devbox_id, path=path, **options)

    @names_keywords
    def upload(self, *, path: str, file: Any, **options: Unpack[RequestOptions]) -> object:
        """Write a file of any size, in constant memory.

        ``file`` is bytes, text, a path on this machine (``Path``), an open file, an iterable of bytes, a
        response of requests, :func:`to_file` with a name, or a tuple of name, content and type.
        """
        return self._connection.call("devboxes.upload_file", self._devbox_id, path=path, file=file, **options)


export("buntime.runloop", FileInterface)
