"""In the mode ``live``, a source that forgot to return its transport let the client call the service."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buntime.testing import cassette
from tests.support.cases import in_one_test


@in_one_test("mode", ["live", "record"])
def test_source_must_return_a_transport(mode: Any, tmp_path: Path) -> None:
    """The error names the source, and nothing is opened."""
    source: Any = lambda: None  # noqa: E731 - as in the tests of users
    block = cassette(tmp_path / "none.json", mode=mode, source=source)
    with pytest.raises(TypeError, match="source must return a transport, not NoneType"), block:
        pass
    assert [] == [*tmp_path.iterdir()]
