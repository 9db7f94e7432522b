"""The content of files: whatever form it has here, and whatever size.

The wire carries text only, and a request only so much of it. What is larger, or is not text, travels as
base64 in pieces: the session decodes each at its offset into a file of the helpers' own, checks the whole
by its hash, and renames it. One piece at a time is in memory here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO, Any, Callable, Optional, Union

from buntime import _validate
from buntime.engine.caller import Caller
from buntime.errors import BuntimeError, ConflictError, InvalidResponseError
from buntime.helpers.runner import Helpers, text_of
from buntime.models import WriteResult
from buntime.wire import requests, responses

PIECE = 1536 * 1024
"""Bytes that travel at once. A request or an answer with them passes through some six forms, each a copy."""

WHOLE_TEXT = 8 * 1024 * 1024
"""Bytes of text written in one call; the free plan takes 10 MB."""

Content = Union[str, bytes, bytearray, memoryview, "os.PathLike[str]", IO[bytes], Iterable[bytes]]
"""What a file is written from: text, bytes, a local file, an open binary file, or pieces of bytes."""


class ChunkedContent:
    """Writes and reads the content of files."""

    def __init__(self, caller: Caller, helpers: Helpers) -> None:
        self._caller = caller
        self._helpers = helpers

    def write(self, session_id: str, path: str, content: Content) -> WriteResult:
        """Write a file whole."""
        if isinstance(content, str):
            text = _validate.text("content", content)
            if len(text) <= WHOLE_TEXT and len(text.encode()) <= WHOLE_TEXT:
                return self._write_text(session_id, path, text)
            return self.write_pieces(session_id, path, rechunked(_encoded(text)))
        if isinstance(content, (bytes, bytearray, memoryview)):
            data = bytes(content)
            text_or_none = _text(data) if len(data) <= WHOLE_TEXT else None
            if text_or_none is not None:
                return self._write_text(session_id, path, text_or_none)
            return self.write_pieces(session_id, path, rechunked([data]))
        if isinstance(content, os.PathLike):
            with open(content, "rb") as file:
                return self.write_pieces(session_id, path, rechunked(read_chunks(file)))
        return self.write_pieces(session_id, path, rechunked(_source(content)))

    def write_pieces(
        self,
        session_id: str,
        path: str,
        pieces: Iterator[bytes],
        *,
        executable: Optional[bool] = None,
        sent: Callable[[int], object] = lambda _size: None,
    ) -> WriteResult:
        """Write a file of pieces no longer than :data:`PIECE`; ``sent`` is told the size of each."""
        piece: Optional[bytes] = next(pieces, b"")
        if piece is None or len(piece) < PIECE:
            written = self._write_small(session_id, path, piece or b"", executable)
            sent(written.size)
            return written
        key = hashlib.sha256(path.encode() + b"/" + piece).hexdigest()
        part = f"{responses.HIDDEN_FOLDER}/parts/{key[:32]}"
        digest = hashlib.sha256()
        size = 0
        try:
            while piece:
                length = len(piece)
                digest.update(piece)
                text = base64.b64encode(piece).decode("ascii")
                piece = None  # a copy less in memory while it travels
                self._helpers.run_staged(session_id, "file_piece", text, path=path, part=part, offset=size)
                del text
                size += length
                sent(length)
                piece = next(pieces, None)
            self._helpers.run(
                session_id,
                "file_finish",
                idempotent=True,
                path=path,
                part=part,
                size=size,
                digest=digest.hexdigest(),
                executable=executable,
            )
        except BaseException:
            self._discard(session_id, part)
            raise
        return WriteResult(path, size)

    def _write_text(self, session_id: str, path: str, text: str) -> WriteResult:
        call = requests.write_file(session_id, path, text)
        return self._caller.call(call, responses.written, idempotent=True)

    def _write_small(
        self, session_id: str, path: str, content: bytes, executable: Optional[bool]
    ) -> WriteResult:
        text = _text(content)
        if text is not None and executable is None:
            return self._write_text(session_id, path, text)
        items = [packed("", content, executable)]
        self._helpers.run_staged(session_id, "file_unpack", json.dumps(items), path=path)
        return WriteResult(path, len(content))

    def _discard(self, session_id: str, part: str) -> None:
        # What failed is being raised already.
        with suppress(BuntimeError):
            self._helpers.run(
                session_id, "file_delete", idempotent=True, path=part, recursive=False, missing_ok=True
            )

    def read(self, session_id: str, path: str) -> Iterator[bytes]:
        """Yield the bytes of a file, a piece at a time.

        Raises :class:`~buntime.ConflictError` where it changes meanwhile.
        """
        digest = hashlib.sha256()
        offset = 0
        stamp: Any = None
        while True:
            answer = self._helpers.run(
                session_id, "file_range", idempotent=True, path=path, offset=offset, length=PIECE
            )
            if stamp not in {None, text_of(answer, "stamp")}:
                raise changed(path)
            stamp = text_of(answer, "stamp")
            expected, size = answer.get("sha256"), answer.get("size")
            piece = unpacked(answer.pop("base64", None))
            del answer
            digest.update(piece)
            offset += len(piece)
            ended = not isinstance(size, int) or offset >= size or not piece
            if ended and isinstance(expected, str) and expected != digest.hexdigest():
                raise changed(path)
            yield piece
            del piece
            if ended:
                return


def changed(path: str) -> ConflictError:
    """Return the error for a file that is not what it was when its transfer began."""
    error = ConflictError(f"{path!r} changed while it was transferred", code="changed_meanwhile")
    error.hint = "Try again when nothing writes to it"
    return error


def packed(path: str, content: Optional[bytes], executable: Optional[bool]) -> dict[str, Any]:
    """Return a file, or a folder where there is no content, as the helper ``file_unpack`` takes it."""
    text = None if content is None else base64.b64encode(content).decode("ascii")
    return {"path": path, "base64": text, "executable": executable}


def unpacked(text: Any) -> bytes:
    """Return the bytes that a helper gave as base64."""
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise InvalidResponseError(f"a helper's answer has no base64 where it should: {text!r:.100}")


def rechunked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of :data:`PIECE`, the last one shorter."""
    pending = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        start = 0
        while start < len(view):
            count = PIECE - len(pending)
            pending += view[start : start + count]
            start += count
            if len(pending) == PIECE:
                yield _emptied(pending)
    if pending:
        yield _emptied(pending)


def _emptied(buffer: bytearray) -> bytes:
    content = bytes(buffer)
    buffer.clear()
    return content


def read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield what is left of an open binary file."""
    while True:
        chunk = file.read(256 * 1024)
        if not isinstance(chunk, bytes):
            raise TypeError("content is a file that was opened for text; open it in binary mode")
        if not chunk:
            return
        yield chunk


def _source(content: Any) -> Iterator[bytes]:
    if hasattr(content, "read"):
        return read_chunks(content)
    try:
        chunks = iter(content)
    except TypeError:
        raise TypeError(
            "content must be a str, bytes, a path, a binary file or an iterable of bytes, "
            f"not {type(content).__name__}"
        ) from None
    return map(_bytes, chunks)


def _bytes(chunk: Any) -> bytes:
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return bytes(chunk)
    raise TypeError(f"content yields a {type(chunk).__name__}, not bytes")


def _encoded(text: str) -> Iterator[bytes]:
    for start in range(0, len(text), 256 * 1024):
        yield text[start : start + 256 * 1024].encode()


def _text(content: bytes) -> Optional[str]:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
