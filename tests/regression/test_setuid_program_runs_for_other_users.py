"""Every user of the host could run a setuid program that a session created, as the user of the session."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from buntime import Buntime
from buntime.transport import LocalTransport


@pytest.mark.skipif(sys.platform == "win32", reason="sessions run on Linux and macOS")
@pytest.mark.parametrize("isolation", ["required", "none"])
def test_other_users_cannot_enter_a_session(tmp_path: Path, isolation: Any) -> None:
    """A parent folder that the session cannot change is private to its user, whatever the session permits."""
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    allow = "cp /bin/sh sh && chmod 4755 sh && chmod 0777 . && ls -ld .. | cut -c1-10"
    with Buntime(transport=LocalTransport(isolation=isolation, root=root)) as client:
        session = client.sessions.create()
        session.execute(command=allow, check=True)
        (program,) = root.rglob("sh")

        assert program.stat().st_mode & stat.S_ISUID
        assert root.stat().st_mode & 0o777 == 0o755
        private = [
            folder for folder in list(program.parents)[1:] if folder.is_relative_to(root) and folder != root
        ]
        assert [0o700] == [stat.S_IMODE(folder.stat().st_mode) for folder in private]
    assert not list(root.iterdir())


def test_a_folder_open_to_others_is_made_private(tmp_path: Path) -> None:
    """An existing folder becomes private."""
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions").chmod(0o777)
    LocalTransport(isolation="none", root=tmp_path).close()
    assert not list(tmp_path.iterdir())
    (tmp_path / "sessions" / "others").mkdir(parents=True)
    LocalTransport(isolation="none", root=tmp_path).close()

    assert 0o700 == stat.S_IMODE((tmp_path / "sessions").stat().st_mode)
