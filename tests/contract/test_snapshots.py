"""Snapshots of a real workspace."""

from __future__ import annotations

from pathlib import Path

from buntime import Buntime, Session, SnapshotResult
from tests.contract.transports import runs_on

_LINKS = """
const fs = require("fs");
fs.symlinkSync("tool", "bin/link");
fs.symlinkSync("/etc/passwd", "outside");
fs.symlinkSync("missing", "dangling");
"""


@runs_on("local", "recorded_local", "replayed_local")
def test_links_and_permissions(client: Buntime, session: Session, tmp_path: Path) -> None:
    """Links inside the workspace and permissions to execute are restored; other links are reported."""
    session.files.write("bin/tool", "#!/bin/sh\necho $0\n")
    session.files.chmod("bin/tool", 0o755)
    session.execute(_LINKS)
    assert ("dangling", "outside") == session.snapshot(tmp_path / "saved.tar.gz").skipped
    with client.sessions.create(snapshot=tmp_path / "saved.tar.gz") as other:
        entries = [(file.path, file.target) for file in other.files.list(recursive=True)]
        assert [("bin", None), ("bin/link", "tool"), ("bin/tool", None)] == entries
        assert "bin/link" == other.execute(command="bin/link").stdout.strip()
        assert SnapshotResult(1, 18) == other.restore(tmp_path / "saved.tar.gz")
