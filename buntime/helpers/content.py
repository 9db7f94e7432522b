"""The content of files: in any form on this side, and of any size.

A request carries only text, and only a limited amount. Anything larger, or not text, travels as base64 in
pieces: the session decodes each at its offset into a hidden file, checks the hash of the complete file, and
renames it. Only one piece at a time is in memory here.
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
from buntime.calls.files import FileCalls
from buntime.errors import APIStatusError, BuntimeError, InvalidRequestError, SessionFileNotFoundError
from buntime.helpers.runner import Helpers, changed_meanwhile, invalid_reply, text_of
from buntime.models import WriteResult
from buntime.wire.constants import HIDDEN_FOLDER, NOT_TEXT
from buntime.wire.error_responses import is_missing_route

PIECE = 2046 * 1024
"""Bytes per request. A request or response with them is copied about five times on its way.

A multiple of three: the base64 of a piece has no padding, so that a cassette recognises a secret cut there.
"""

WHOLE_TEXT = 8 * 1024 * 1024
"""Bytes of text written in a single call; the free plan accepts 10 MB."""

_CHUNK = 256 * 1024
_TOO_LARGE = 413

Content = Union[str, bytes, bytearray, memoryview, os.PathLike[str], IO[bytes], Iterable[bytes]]
"""The content of a file: text, bytes, a local file, an open binary file, or an iterable of bytes."""


class ChunkedContent:
    """Writes and reads the content of files."""

    def __init__(self, files: FileCalls, helpers: Helpers) -> None:
        self._files = files
        self._helpers = helpers

    def write(self, session_id: str, path: str, content: Content) -> WriteResult:
        """Write a complete file."""
        if isinstance(content, str):
            _validate.text("content", content)
            if len(content) <= WHOLE_TEXT and len(content.encode()) <= WHOLE_TEXT:
                return self._files.write(session_id, path, content)
        elif isinstance(content, (bytes, bytearray, memoryview)):
            data = bytes(content)
            text = _decode_text(data) if len(data) <= WHOLE_TEXT else None
            if text is not None:
                return self._files.write(session_id, path, text)
        return self.write_pieces(session_id, path, rechunk(chunks_of(content)))

    def read_text(self, session_id: str, path: str) -> str:
        """Return a text file: by the API if it has a route for that, else by a helper, or in pieces."""
        if self._files.has_read_route:
            try:
                return self._files.read(session_id, path)
            except APIStatusError as error:
                if error.status == _TOO_LARGE:
                    return self._read_large(session_id, path)
                if error.code == NOT_TEXT:
                    error.hint = "Use read_bytes() or download(), which accept any bytes"
                if not is_missing_route(error):
                    raise
        try:
            reply = self._helpers.run(session_id, "read", idempotent=True, path=path)
        except SessionFileNotFoundError:
            self._files.forget_read_route()
            raise
        self._files.forget_read_route()
        return text_of(reply, "content")

    def _read_large(self, session_id: str, path: str) -> str:
        try:
            return b"".join(self.read(session_id, path)).decode()
        except UnicodeDecodeError as error:
            raise InvalidRequestError(f"{path!r} is not UTF-8 text; use read_bytes()") from error

    def write_pieces(
        self,
        session_id: str,
        path: str,
        pieces: Iterator[bytes],
        *,
        executable: Optional[bool] = None,
        on_sent: Callable[[int], object] = lambda _size: None,
    ) -> WriteResult:
        """Write a file from pieces of at most :data:`PIECE`; ``on_sent`` is called with the size of each."""
        piece: Optional[bytes] = next(pieces, b"")
        if piece is None or len(piece) < PIECE:
            result = self._write_small(session_id, path, piece or b"", executable)
            on_sent(result.size)
            return result
        key = hashlib.sha256(path.encode() + b"/" + piece).hexdigest()
        target: dict[str, Any] = {"path": path, "part": f"{HIDDEN_FOLDER}/parts/{key[:32]}"}
        digest, size = hashlib.sha256(), 0
        try:
            while piece:
                length = len(piece)
                digest.update(piece)
                text = base64.b64encode(piece).decode("ascii")
                piece = None  # frees a copy while the text is sent
                self._helpers.run_staged(
                    session_id, "file_piece", text, digest=digest.hexdigest(), **target, offset=size
                )
                del text
                size += length
                on_sent(length)
                piece = next(pieces, None)
            self._helpers.run(
                session_id,
                "file_finish",
                idempotent=True,
                **target,
                size=size,
                digest=digest.hexdigest(),
                executable=executable,
            )
        except Exception:
            # Not after a Ctrl-C, which ends the call now. The original error is being raised already.
            with suppress(BuntimeError):
                self._helpers.delete_file(session_id, target["part"])
            raise
        return WriteResult(path, size)

    def _write_small(
        self, session_id: str, path: str, content: bytes, executable: Optional[bool]
    ) -> WriteResult:
        text = _decode_text(content) if executable is None else None
        if text is not None:
            return self._files.write(session_id, path, text)
        items = [pack_file("", content, executable)]
        self._helpers.run_staged(session_id, "file_unpack", json.dumps(items), path=path)
        return WriteResult(path, len(content))

    def read(self, session_id: str, path: str, *, sha256: Optional[str] = None) -> Iterator[bytes]:
        """Yield the bytes of a file, a piece at a time.

        Raises :class:`~buntime.ConflictError` if the file changes meanwhile, or does not have the hash
        ``sha256``.
        """
        digest = hashlib.sha256()
        offset = 0
        stamp: Optional[str] = None
        while True:
            reply = self._helpers.run(
                session_id, "file_range", idempotent=True, path=path, offset=offset, length=PIECE
            )
            # The stamp changes with each change of the file; the hash covers what the stamp misses.
            changed = stamp not in {None, text_of(reply, "stamp")}
            stamp = text_of(reply, "stamp")
            expected, size = reply.get("sha256"), reply.get("size")
            if changed:
                raise changed_meanwhile(f"{path!r} changed while it was transferred")
            piece = decode_base64(reply.pop("base64", None))
            del reply
            digest.update(piece)
            offset += len(piece)
            ended = not isinstance(size, int) or offset >= size or not piece
            if ended and not {expected, sha256} <= {None, digest.hexdigest()}:
                raise changed_meanwhile(f"{path!r} changed while it was transferred")
            yield piece
            del piece
            if ended:
                return


def pack_file(path: str, content: Optional[bytes], executable: Optional[bool]) -> dict[str, Any]:
    """Return a file, or with ``None`` as its content a folder, in the form of the helper ``file_unpack``."""
    text = None if content is None else base64.b64encode(content).decode("ascii")
    return {"path": path, "base64": text, "executable": executable}


def decode_base64(text: Any) -> bytes:
    """Return the bytes that a helper encoded as base64."""
    try:
        if isinstance(text, str):
            return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        pass  # reported below, like a value that is not a text
    raise invalid_reply("has an invalid base64 text", text)


def rechunk(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces of :data:`PIECE`; the last one is shorter."""
    pending = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        start = 0
        while start < len(view):
            count = PIECE - len(pending)
            pending += view[start : start + count]
            start += count
            if len(pending) == PIECE:
                yield _drain(pending)
    if pending:
        yield _drain(pending)


def _drain(buffer: bytearray) -> bytes:
    content = bytes(buffer)
    buffer.clear()
    return content


def read_chunks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the rest of an open binary file."""
    while True:
        chunk = file.read(_CHUNK)
        if not isinstance(chunk, bytes):
            raise TypeError("content is a file opened in text mode; open it in binary mode")
        if not chunk:
            return
        yield chunk


def chunks_of(content: Content) -> Iterator[bytes]:
    """Yield any content as bytes."""
    if isinstance(content, str):
        text = _validate.text("content", content)
        yield from (text[start : start + _CHUNK].encode() for start in range(0, len(text), _CHUNK))
    elif isinstance(content, (bytes, bytearray, memoryview)):
        yield bytes(content)
    elif isinstance(content, os.PathLike):
        with open(content, "rb") as file:
            yield from read_chunks(file)
    else:
        yield from _chunks_of(content)


def _chunks_of(content: Any) -> Iterator[bytes]:
    if hasattr(content, "read"):
        yield from read_chunks(content)
        return
    try:
        chunks = iter(content)
    except TypeError:
        raise TypeError(
            "content must be a str, bytes, a path, a binary file or an iterable of bytes, "
            f"not {type(content).__name__}"
        ) from None
    for chunk in chunks:
        if not isinstance(chunk, (bytes, bytearray, memoryview)):
            raise TypeError(f"content must yield bytes, not {type(chunk).__name__}")
        yield bytes(chunk)


def _decode_text(content: bytes) -> Optional[str]:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
