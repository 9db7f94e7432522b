"""A session whose folder was removed, as by a cleaner of temporary files, was reported as expired."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from buntime import Buntime, SessionNotFoundError
from buntime.service.sessions.app import Service
from buntime.service.workspace.root import WorkspaceFolder
from buntime.transport import FunctionTransport
from tests.support.executors import PlayedExecutor


def test_the_error_names_the_cause(tmp_path: Path) -> None:
    """Until the session is deleted, which works as usual."""
    folder = WorkspaceFolder(tmp_path)
    service = Service(PlayedExecutor(), folder.workspace)
    with Buntime(transport=FunctionTransport(service.handle)) as client:
        session = client.sessions.create()
        shutil.rmtree(tmp_path / "sessions" / session.id)
        with pytest.raises(
            SessionNotFoundError, match=f"workspace of session {session.id} was removed from"
        ) as caught:
            session.files.write("a.txt", "")
        assert "expired" not in str(caught.value)
        session.delete()
        with pytest.raises(SessionNotFoundError, match="does not exist or has expired"):
            session.info()
    service.close()
