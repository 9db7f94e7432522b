"""A recording was written to another folder if the program changed the current one."""

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
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    return tmp_path / "one", tmp_path / "other"


def test_cassette_of_a_block(folders: tuple[Path, Path]) -> None:
    """It is in the folder that was current when the block began, and so is nothing else."""
    one, other = folders
    for mode in ("record", "record", "verify"):
        with cassette("greeting.json", mode=mode, source=fake) as client:
            os.chdir(other)
            client.sessions.create().delete()
        os.chdir(one)
    assert ["greeting.json"] == os.listdir(one)
    assert [] == os.listdir(other)


@pytest.mark.parametrize("ends", ["close", "discard"])
def test_cassette_of_a_transport(folders: tuple[Path, Path], ends: str) -> None:
    """The same, whether the recording is kept or not."""
    one, other = folders
    transport: Transport = RecordingTransport(Path("x.json"), fake())
    Buntime(transport=transport).sessions.create()
    os.chdir(other)
    getattr(transport, ends)()
    assert [] == os.listdir(other)
    assert (["x.json"] if ends == "close" else []) == os.listdir(one)
    if ends == "close":
        assert 1 == len(load(one / "x.json").interactions)
