"""The repr of a client whose construction had failed raised an AttributeError."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import Buntime, ConfigurationError
from buntime.transport import HTTPTransport


@pytest.mark.parametrize(
    ("kind", "options"), [(Buntime, {"timeout": -1}), (HTTPTransport, {"base_url": "nonsense"})]
)
def test_a_traceback_with_local_variables_can_show_it(kind: Any, options: dict[str, Any]) -> None:
    """Error reporters call repr on what they find in the frames."""
    with pytest.raises(ConfigurationError) as caught:
        kind(**options)
    half_made = [entry.frame.f_locals.get("self") for entry in caught.traceback]
    assert "not made" in " ".join(repr(value) for value in half_made if isinstance(value, kind))
