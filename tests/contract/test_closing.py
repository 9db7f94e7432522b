"""A client closes the transport that it was given."""

from __future__ import annotations

import pytest

from buntime import Buntime
from buntime.transport import Transport
from tests.contract.transports import KEY, Services


@pytest.fixture(scope="module")
def services(services: Services) -> Services:
    """Return services whose transports belong to one test."""
    return services.without_sharing()


def test_closing_twice_has_no_effect(transport: Transport) -> None:
    """Using a closed client raises an error."""
    client = Buntime(KEY, transport=transport)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.sessions.create()
