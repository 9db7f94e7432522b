"""File objects for the files of a session."""

from __future__ import annotations

import io
import os
import tempfile
from typing import IO, TYPE_CHECKING, Any, Optional, cast

from buntime.helpers.content import PIECE, decode_base64
from buntime.helpers.runner import Helpers, changed_meanwhile, integer_of, text_of

if TYPE_CHECKING:
    from buntime.client.files import SessionFiles

MODES = {"r", "rb", "w", "wb", "a", "ab", "x", "xb"}


def open_file(files: SessionFiles, helpers: Helpers, session_id: str, path: str, mode: str) -> IO[Any]:
    """Return a file object; ``mode`` is one of :data:`MODES`."""
    if mode[0] == "r":
        reader = io.BufferedReader(_Range(helpers, session_id, path), PIECE)
        return reader if mode == "rb" else io.TextIOWrapper(reader, encoding="utf-8")
    if mode[0] == "x":
        _check_missing(files, path)
    writer = _Writer(_Draft(files, path, mode[0]))
    return cast("IO[Any]", writer if mode[-1] == "b" else _TextWriter(writer, encoding="utf-8", newline="\n"))


def _check_missing(files: SessionFiles, path: str) -> None:
    if files.exists(path):
        raise FileExistsError(f"the session has a file or folder {path!r} already")


class _Range(io.RawIOBase):
    """Reads parts of a file, as long as it does not change."""

    def __init__(self, helpers: Helpers, session_id: str, path: str) -> None:
        super().__init__()
        self._helpers = helpers
        self._session_id = session_id
        self._path = path
        self._position = 0
        self._stamp: Optional[str] = None
        self._size = integer_of(self._request(0), "size")

    def _request(self, length: int) -> dict[str, Any]:
        reply = self._helpers.run(
            self._session_id,
            "file_range",
            idempotent=True,
            path=self._path,
            offset=self._position,
            length=length,
        )
        stamp = text_of(reply, "stamp")
        if self._stamp not in {None, stamp}:
            raise changed_meanwhile(f"{self._path!r} changed since it was opened")
        self._stamp = stamp
        return reply

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        starts = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}
        position = starts[whence] + offset
        if position < 0:
            raise ValueError(f"position {position} is before the start of the file")
        self._position = position
        return position

    def readinto(self, buffer: Any, /) -> int:
        if self._position >= self._size:
            return 0
        piece = decode_base64(self._request(min(len(buffer), PIECE)).get("base64"))
        buffer[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        pieces = []
        while self._position < self._size:
            piece = self.read(PIECE)
            if not piece:
                break
            pieces.append(piece)
        return b"".join(pieces)


class _Draft(io.RawIOBase):
    """Collects content, on this machine's disk if it is large, and sends it when it is closed."""

    def __init__(self, files: SessionFiles, path: str, mode: str) -> None:
        super().__init__()
        self._files = files
        self._path = path
        self._mode = mode
        self._content = tempfile.SpooledTemporaryFile(max_size=PIECE)  # noqa: SIM115  # closed by close()
        self.discarded = False

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int:
        return self._content.write(content)

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        with self._content as content, self._files._context.caller.one_deadline():
            if self.discarded:
                return
            content.seek(0)
            if self._mode == "x":
                _check_missing(self._files, self._path)
            send = self._files.append if self._mode == "a" else self._files.write
            send(self._path, cast("IO[bytes]", content))


class _Writer(io.BufferedWriter):
    def __exit__(self, kind: Any, *details: Any) -> None:
        self.discard_if(kind is not None)
        self.close()

    def discard_if(self, failed: bool) -> None:
        if failed:
            cast("_Draft", self.raw).discarded = True


class _TextWriter(io.TextIOWrapper):
    def __exit__(self, kind: Any, *details: Any) -> None:
        cast("_Writer", self.buffer).discard_if(kind is not None)
        self.close()
