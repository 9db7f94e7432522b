"""A recovered recording could not be replayed if the program had passed on the host of a preview in ``env=``."""

from __future__ import annotations

import shutil
from pathlib import Path

from buntime import Buntime
from buntime.cassette.file import load
from buntime.cassette.journal import recover
from buntime.transport import RecordingTransport
from tests.support.cassettes import KEY, fake, replay


def _program(client: Buntime) -> None:
    session = client.sessions.create()
    for host in ("none", str(session.preview_url).partition("://")[2]):
        session.execute(f"fetch('{session.preview_url}')", env={"ALLOWED_HOST_KEY": host})


def test_it_is_the_cassette_that_would_have_been_saved(tmp_path: Path) -> None:
    """The address of the preview is that of a number again, though a placeholder is in the ``.part``."""
    path = tmp_path / "x.json"
    with Buntime(KEY, transport=RecordingTransport(path, fake())) as client:
        _program(client)
        shutil.copy(f"{path}.part", tmp_path / "y.part")
    recover(tmp_path / "y.part", tmp_path / "y.json")
    assert load(path).interactions[:3] == load(tmp_path / "y.json").interactions[:3]
    replay(tmp_path / "y.json", _program)
