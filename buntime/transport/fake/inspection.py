"""Calls and sessions of the fake, for a test to inspect."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional, Union

import attrs

from buntime._http import Headers, Request
from buntime.service.sessions.sessions import LiveSession

if TYPE_CHECKING:
    from buntime.service.devboxes.devbox import Devbox


@attrs.frozen
class FakeCall:
    """A request that reached the fake, failed ones included.

    ``json`` is the decoded body, ``None`` if the body is empty or not JSON; ``body`` is the bytes of one that
    is not JSON, such as an uploaded file. ``status`` is that of the response, ``None`` if the connection
    failed instead.
    """

    method: str
    path: str
    query: Mapping[str, str]
    json: Any
    headers: Headers
    status: Optional[int]
    body: bytes = attrs.field(default=b"", repr=False)

    @classmethod
    def _of(cls, request: Request, status: Optional[int]) -> FakeCall:
        value, other = None, b""
        try:
            value = json.loads(request.content) if request.content else None
        except (ValueError, RecursionError):
            other = request.content
        query, headers = dict(request.query), Headers(request.headers)
        return cls(request.method, request.path, query, value, headers, status, other)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class FakeSession:
    """A session of the fake, for a test to set up and inspect."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session

    def __repr__(self) -> str:
        return f"<FakeSession {self.id} {self.state}>"

    @property
    def id(self) -> str:
        """The session's id."""
        return self._session.id

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The metadata it was created with."""
        return self._session.metadata

    @property
    def state(self) -> str:
        """``"active"``, ``"idle"`` or ``"deep-sleep"``."""
        return self._session.state

    @property
    def files(self) -> dict[str, bytes]:
        """The files of the workspace by path, except those in ``node_modules`` and ``.git``."""
        workspace = self._session.workspace
        return {path: workspace.read(path) for path in sorted(workspace.snapshot())}

    def write(self, path: str, content: Union[str, bytes]) -> None:
        """Put a file into the workspace."""
        self._session.workspace.write(path, content.encode() if isinstance(content, str) else content)


class FakeDevbox:
    """A devbox of the fake, for a test to set up and inspect."""

    def __init__(self, devbox: Any) -> None:
        self._devbox: Devbox = devbox

    def __repr__(self) -> str:
        return f"<FakeDevbox {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """The devbox's id."""
        return self._devbox.id

    @property
    def name(self) -> Optional[str]:
        """Its name."""
        return self._devbox.spec.name

    @property
    def metadata(self) -> Mapping[str, str]:
        """Its metadata."""
        return self._devbox.spec.metadata

    @property
    def status(self) -> str:
        """``"provisioning"``, ``"running"``, ``"suspended"`` and so on."""
        with self._devbox.lock:
            self._devbox.settle()
            return self._devbox.status

    @property
    def files(self) -> dict[str, bytes]:
        """The files by absolute path, except those in ``node_modules`` and ``.git``."""
        workspaces = {folder: self._devbox.box.workspace(folder) for folder in ("/home/user", "/tmp")}  # noqa: S108 - a path of the devbox
        return {
            f"{folder}/{path}": workspace.read(path)
            for folder, workspace in workspaces.items()
            for path in sorted(workspace.snapshot())
        }

    def write(self, path: str, content: Union[str, bytes]) -> None:
        """Put a file on the devbox; a relative path is below ``/home/user``."""
        from buntime.service.devboxes.files import write_file

        write_file(self._devbox, path, content.encode() if isinstance(content, str) else content)
