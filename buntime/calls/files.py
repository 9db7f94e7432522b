"""Files: write, read and list, as far as the API goes."""

from __future__ import annotations

from collections.abc import Sequence

from buntime.engine.caller import Caller
from buntime.models import FileInfo, WriteResult
from buntime.wire import requests, responses

_READ = "GET /files/read"


class FileCalls:
    """The calls that concern files."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def write(self, session_id: str, path: str, content: str) -> WriteResult:
        """Write a text file, and the folders above it."""
        request = requests.write_file(session_id, path, content)
        return self._caller.call(request, responses.decode_written, idempotent=True)

    @property
    def has_read_route(self) -> bool:
        """Whether :meth:`read` is worth a try; ``False`` once the service turned out not to have it."""
        return _READ not in self._caller.shared.missing_routes

    def forget_read_route(self) -> None:
        """Record that the service has no route to read files."""
        self._caller.shared.missing_routes.add(_READ)

    def read(self, session_id: str, path: str) -> str:
        """Return the content of a text file."""
        request = requests.read_file(session_id, path)
        return self._caller.call(
            request, lambda response: responses.decode_content(response, path), idempotent=True
        )

    def list_page(self, session_id: str, path: str, offset: int) -> Sequence[FileInfo]:
        """Return one page of the children of a folder, our hidden folder included."""
        request = requests.list_files(session_id, path, offset)
        return self._caller.call(request, responses.decode_files, idempotent=True)
