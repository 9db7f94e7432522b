"""The repr of a client whose construction had failed raised an AttributeError."""

from __future__ import annotations

from typing import Any

import pytest

from buntime import Buntime, ConfigurationError, ExecuteRequest
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


def test_a_partially_initialized_value_has_a_repr() -> None:
    """It shows the attributes that were set before the construction failed."""
    with pytest.raises(TypeError) as caught:
        ExecuteRequest("1", timeout="soon")  # type: ignore[arg-type]  # that is the error
    partial = [entry.frame.f_locals.get("self") for entry in caught.traceback]
    assert "ExecuteRequest(code='1'" in " ".join(
        repr(value) for value in partial if isinstance(value, ExecuteRequest)
    )
