"""A disk limit could be asked for at creation, and was silently not given: the API has no such field."""

from __future__ import annotations

import pytest

from buntime import Buntime, ResourceLimits
from buntime.transport import FakeTransport


def test_disk_cannot_be_asked_for() -> None:
    """It is refused before anything is sent, with what can be asked for."""
    fake = FakeTransport()
    with Buntime(transport=fake) as client:
        with pytest.raises(ValueError, match=r"disk cannot be asked for.*memory, cpu and timeout"):
            client.sessions.create(resource_limits=ResourceLimits(memory=512, disk=10))
        assert [] == fake.calls
