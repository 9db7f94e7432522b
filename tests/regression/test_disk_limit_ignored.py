"""``sessions.create`` accepted a disk limit and silently ignored it: the API has no such field."""

from __future__ import annotations

import pytest

from buntime import Buntime, ResourceLimits
from buntime.transport import FakeTransport


def test_a_disk_limit_raises_an_error() -> None:
    """The error is raised before anything is sent, and lists the limits that can be set."""
    fake = FakeTransport()
    with Buntime(transport=fake) as client:
        with pytest.raises(ValueError, match=r"disk cannot be set.*memory, cpu and timeout"):
            client.sessions.create(resource_limits=ResourceLimits(memory=512, disk=10))
        assert [] == fake.calls
