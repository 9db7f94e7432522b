"""A snapshot that was ``None`` by mistake created a devbox without it."""

from __future__ import annotations

from typing import Any

import pytest

from buntime.runloop import RunloopSDK
from buntime.transport import FakeTransport


@pytest.mark.parametrize("source", ["snapshot", "blueprint_id", "blueprint_name"])
@pytest.mark.parametrize(("value", "error"), [(None, TypeError), (5, TypeError), ("", ValueError)])
def test_a_devbox_from_nothing(source: str, value: Any, error: type[Exception]) -> None:
    """The error names the argument, and no devbox is created."""
    fake = FakeTransport()
    with RunloopSDK(transport=fake) as runloop, pytest.raises(error, match=f"^{source}"):
        getattr(runloop.devbox, f"create_from_{source}")(value)
    assert [] == fake.calls
