"""A cassette that could not be written left a file ``x.json.tmp`` beside it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from buntime import CassetteError
from buntime.cassette.file import VERSION, Cassette, save


def test_nothing_stays(tmp_path: Path) -> None:
    """A folder is in its place, which cannot be replaced."""
    path = tmp_path / "x.json"
    path.mkdir()
    with pytest.raises(CassetteError, match="cannot be written"):
        save(path, Cassette(VERSION, date(2026, 1, 1), ()))
    assert [path] == [*tmp_path.iterdir()]
