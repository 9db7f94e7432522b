"""A recording was written to another folder if the program changed its working directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buntime import Buntime
from buntime.cassette.file import load
from buntime.testing import cassette
from buntime.transport import RecordingTransport, Transport
from tests.support.cassettes import fake


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Return the current folder and another one."""
    (tmp_path / "current").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    return tmp_path / "current", tmp_path / "other"


def test_cassette_of_a_block(folders: tuple[Path, Path]) -> None:
    """The cassette, and nothing else, is in the folder that was current when the block began."""
    current, other = folders
    for mode in ("record", "record", "verify"):
        with cassette("greeting.json", mode=mode, source=fake) as client:
            os.chdir(other)
            client.sessions.create().delete()
        os.chdir(current)
    assert ["greeting.json"] == os.listdir(current)
    assert [] == os.listdir(other)


@pytest.mark.parametrize("ends", ["close", "discard"])
def test_cassette_of_a_transport(folders: tuple[Path, Path], ends: str) -> None:
    """The folder is the same whether the recording is committed or discarded."""
    current, other = folders
    transport: Transport = RecordingTransport(Path("x.json"), fake())
    Buntime(transport=transport).sessions.create()
    os.chdir(other)
    getattr(transport, ends)()
    assert [] == os.listdir(other)
    assert (["x.json"] if ends == "close" else []) == os.listdir(current)
    if ends == "close":
        assert 1 == len(load(current / "x.json").interactions)
