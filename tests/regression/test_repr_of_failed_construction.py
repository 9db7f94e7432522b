"""The repr of a client whose construction had failed raised an AttributeError."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import Buntime, ConfigurationError
from buntime.transport import HTTPTransport


@pytest.mark.parametrize(
    ("kind", "options"), [(Buntime, {"timeout": -1}), (HTTPTransport, {"base_url": "nonsense"})]
)
def test_a_partially_initialized_object_has_a_repr(kind: Any, options: dict[str, Any]) -> None:
    """Error reporters call repr on local variables, so it must work for partially initialized objects."""
    with pytest.raises(ConfigurationError) as caught:
        kind(**options)
    partial = [entry.frame.f_locals.get("self") for entry in caught.traceback]
    assert "not made" in " ".join(repr(value) for value in partial if isinstance(value, kind))
