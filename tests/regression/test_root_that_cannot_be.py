"""A ``root`` that cannot be made was a bare OSError from within the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime import ConfigurationError
from buntime.transport import LocalTransport


def test_a_root_that_cannot_be_made_is_a_setting_that_is_wrong(tmp_path: Path) -> None:
    """The message names it and says why."""
    file = tmp_path / "file"
    file.write_text("")
    for root in (file, file / "below"):
        with pytest.raises(ConfigurationError, match=f"root {root} cannot be used: ") as caught:
            LocalTransport(isolation="none", root=root)
        assert isinstance(caught.value.__cause__, OSError)
