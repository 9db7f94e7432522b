"""The files of a session."""

from __future__ import annotations

from buntime import _checks
from buntime.errors import APIStatusError, SessionFileNotFoundError
from buntime.exchange import Exchange
from buntime.helpers import Helpers, text_of
from buntime.models import FileInfo, WriteResult
from buntime.wire import answers, calls
from buntime.wire.refusals import route_is_missing


class Files:
    """Files of any session. Paths are relative to ``/workspace``, or absolute below it.

    Besides what each method names, all raise :class:`~buntime.SessionNotFoundError` where the session has
    ended and the errors of every call.
    """

    def __init__(self, exchange: Exchange, helpers: Helpers) -> None:
        self._exchange = exchange
        self._helpers = helpers

    def write(self, *, session_id: str, path: str, content: str) -> WriteResult:
        """Write a text file whole, with the folders it needs; what was there is replaced.

        Raises :class:`~buntime.InvalidRequestError` for a path outside the workspace or a file above the
        plan's size.
        """
        call = calls.write_file(
            _checks.session_id(session_id), _checks.path("path", path), _checks.text("content", content)
        )
        return self._exchange.call(call, answers.written, repeatable=True)

    def read(self, *, session_id: str, path: str) -> str:
        """Return a text file.

        Raises :class:`~buntime.SessionFileNotFoundError` (also a ``FileNotFoundError``) where there is none,
        and an error where it is not UTF-8.
        """
        session_id, path = _checks.session_id(session_id), _checks.path("path", path)
        seen = self._exchange.seen
        if seen.reads_files:
            call = calls.read_file(session_id, path)
            try:
                return self._exchange.call(call, answers.file_content(path), repeatable=True)
            except APIStatusError as error:
                if not route_is_missing(error):
                    raise
        try:
            answer = self._helpers.run(session_id, "read", repeatable=True, path=path)
        except SessionFileNotFoundError:
            seen.reads_files = False
            raise
        seen.reads_files = False
        return text_of(answer, "content")

    def list(self, *, session_id: str, path: str = "") -> list[FileInfo]:
        """Return the direct children of a folder, sorted by path, all pages of them.

        Raises :class:`~buntime.SessionFileNotFoundError` where the folder does not exist.
        """
        session_id = _checks.session_id(session_id)
        if path != "":
            _checks.path("path", path)
        found: dict[str, FileInfo] = {}
        offset = 0
        while True:
            call = calls.list_files(session_id, path, offset)
            page = self._exchange.call(call, answers.listed, repeatable=True)
            offset += len(page)
            new = {item.path: item for item in page if item.path not in found}
            found.update(new)
            # A service that ignores the offset sends the same page for ever.
            if len(page) < calls.PAGE or not new:
                shown = (item for item in found.values() if not answers.is_hidden(item.path))
                return sorted(shown, key=lambda item: item.path)


class SessionFiles:
    """The files of one session: the methods of :class:`Files` without ``session_id``."""

    def __init__(self, files: Files, session_id: str) -> None:
        self._files = files
        self._session_id = session_id

    def write(self, path: str, content: str) -> WriteResult:
        """Write a text file whole; see :meth:`Files.write`."""
        return self._files.write(session_id=self._session_id, path=path, content=content)

    def read(self, path: str) -> str:
        """Return a text file; see :meth:`Files.read`."""
        return self._files.read(session_id=self._session_id, path=path)

    def list(self, path: str = "") -> list[FileInfo]:
        """Return the direct children of a folder; see :meth:`Files.list`."""
        return self._files.list(session_id=self._session_id, path=path)
