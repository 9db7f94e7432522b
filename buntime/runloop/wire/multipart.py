"""An uploaded file as ``multipart/form-data``, read from its source for each attempt."""

from __future__ import annotations

import io
import os
import uuid
import weakref
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Optional
from urllib.parse import unquote, urlsplit

import attrs

from buntime import _validate
from buntime._http import Body

_PIECE = 1 << 20
_IN_MEMORY = 1 << 20
_SEEKABLE = (io.FileIO, io.BufferedReader, io.BufferedRandom, io.BytesIO)


@attrs.frozen
class NamedFile:
    """Content for an upload, with the name and the type of the file."""

    name: str
    content: Any
    content_type: str = "application/octet-stream"
    headers: Optional[Mapping[str, str]] = None


def to_file(content: Any, name: str, content_type: str = "application/octet-stream") -> NamedFile:
    """Return content with the name of its file, for ``file=`` of an upload."""
    return NamedFile(name, content, content_type)


def form(fields: Mapping[str, Any]) -> tuple[str, Body]:
    """Return the content type and the body of an upload with ``path`` and ``file``."""
    file = as_file(fields["file"])
    content = content_body(file.content)
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="path"\r\n\r\n{fields["path"]}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{_quoted(file.name)}"\r\n'
        f"Content-Type: {_header(file.content_type)}\r\n"
        + "".join(f"{_header(name)}: {_header(value)}\r\n" for name, value in (file.headers or {}).items())
        + "\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    def opened() -> BinaryIO:
        return io.BufferedReader(_Concatenated(io.BytesIO(head), content.open(), io.BytesIO(tail)))

    return f"multipart/form-data; boundary={boundary}", Body(opened, len(head) + content.size + len(tail))


def as_file(value: Any) -> NamedFile:
    """Return anything that can be uploaded with its name.

    Raises ``TypeError`` for anything else.
    """
    if isinstance(value, NamedFile):
        return value
    if isinstance(value, tuple):
        if not 2 <= len(value) <= 4 or not isinstance(value[0], (str, type(None))):
            raise TypeError("file must be (name, content), (name, content, type) or one with headers")
        name, content, *rest = value
        return NamedFile(name or as_file(content).name, content, *rest)
    if isinstance(value, os.PathLike):
        return NamedFile(Path(value).name, value)
    url = getattr(value, "url", None)
    if hasattr(value, "iter_content") and isinstance(url, str):
        return NamedFile(unquote(urlsplit(url).path.rpartition("/")[2]) or "upload", value)
    name = getattr(value, "name", None)
    return NamedFile(Path(name).name if isinstance(name, str) else "upload", value)


def content_body(content: Any) -> Body:
    """Return content of any form as a body."""
    if isinstance(content, str):
        content = _validate.text("content", content).encode()
    if isinstance(content, (bytes, bytearray, memoryview)):
        data = bytes(content)
        return Body(lambda: io.BytesIO(data), len(data))
    if isinstance(content, os.PathLike):
        path = Path(content)
        size = path.stat().st_size
        if not path.is_file():
            raise ValueError(f"{path} is not a file; pass an open file to upload what it can read")
        return Body(lambda: path.open("rb"), size)
    if hasattr(content, "iter_content"):
        return _stored(content.iter_content(_PIECE))
    if hasattr(content, "read"):
        if isinstance(content, _SEEKABLE) and content.seekable():
            start = content.tell()
            size = content.seek(0, os.SEEK_END) - start
            content.seek(start)
            return Body(partial(_from, content, start), size)
        return _stored(iter(lambda: content.read(_PIECE), content.read(0)))
    if isinstance(content, Iterable) and not isinstance(content, Mapping):
        return _stored(content)
    raise TypeError(
        f"file is of type {type(content).__name__}; pass bytes, text, a path, an open file, an iterable of "
        "bytes, a response of requests, to_file(content, name) or (name, content)"
    )


def _stored(pieces: Iterable[Any]) -> Body:
    """Store pieces that can be read once only, so that an attempt can be repeated and the size is known."""
    import tempfile  # on first use: it is slow to import

    file: Any = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - closed with the body
    reopen = partial(_from, file, 0)
    weakref.finalize(reopen, file.close)
    for piece in pieces:
        if not isinstance(piece, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"file must yield bytes or text, not {type(piece).__name__}")
        file.write(piece.encode() if isinstance(piece, str) else piece)
    return Body(reopen, file.tell())


def _from(file: BinaryIO, start: int) -> BinaryIO:
    """Return the content of a file from a position on; closing it leaves the file open."""
    file.seek(start)
    return io.BufferedReader(_Concatenated(file, closes=False))


class _Concatenated(io.RawIOBase):
    """Reads files one after another."""

    def __init__(self, *files: BinaryIO, closes: bool = True) -> None:
        self._files = [*files]
        self._closed_with_this = files if closes else ()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._files:
            data = self._files[0].read(len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
            del self._files[0]
        return 0

    def close(self) -> None:
        for file in self._closed_with_this:
            file.close()
        super().close()


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _header(value: object) -> str:
    if not isinstance(value, str) or any(character in "\r\n\0" for character in value):
        raise ValueError(f"{value!r} cannot be part of a header")
    return value
