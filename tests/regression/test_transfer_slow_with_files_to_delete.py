"""A transfer that deleted files took time that was quadratic in their number."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from buntime import Buntime
from buntime.helpers import downloads, transfers, uploads
from buntime.transport import FakeTransport

_COUNT = 60


class _Name(str):
    """A name that counts how often names are looked up, a measure of work that ignores the machine's load."""

    hashed = 0

    def __hash__(self) -> int:
        _Name.hashed += 1
        return super().__hash__()


@pytest.mark.parametrize("module", [uploads, downloads])
def test_each_name_to_delete_is_looked_up_a_few_times(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In an upload as in a download."""

    def extra_paths(*arguments: Any, **options: Any) -> list[str]:
        return [*map(_Name, transfers.extra_paths(*arguments, **options))]

    session = Buntime(transport=FakeTransport()).sessions.create()
    here, new = tmp_path / "here", tmp_path / "new"
    for folder, letter in ((here, "a"), (new, "b")):
        folder.mkdir()
        for number in range(_COUNT):
            (folder / f"{letter}{number}").write_text("x")
    session.files.upload(new, "there")
    monkeypatch.setattr(module, "extra_paths", extra_paths)
    _Name.hashed = 0
    if module is uploads:
        result = session.files.upload(here, "there", delete=True)
    else:
        result = session.files.download("there", here, delete=True)
    assert _COUNT == len(result.removed)
    assert _Name.hashed < 10 * _COUNT
