"""A ``root`` that could not be created raised a bare OSError from inside the service."""

from __future__ import annotations

from pathlib import Path

import pytest

from buntime import ConfigurationError
from buntime.transport import LocalTransport


def test_an_unusable_root_raises_a_configuration_error(tmp_path: Path) -> None:
    """The message contains the path and the reason."""
    file = tmp_path / "file"
    file.write_text("")
    for root in (file, file / "below"):
        with pytest.raises(ConfigurationError, match=f"root {root} cannot be used: ") as caught:
            LocalTransport(isolation="none", root=root)
        assert isinstance(caught.value.__cause__, OSError)
