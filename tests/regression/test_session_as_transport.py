"""``Buntime(transport=requests.Session())`` failed at the first call, with an ``AttributeError``."""

from __future__ import annotations

import pytest
import requests

from buntime import Buntime, ConfigurationError


@pytest.mark.parametrize("kind", [requests.Session, type("Cached", (requests.Session,), {})])
def test_a_session_is_not_a_transport(kind: type[requests.Session]) -> None:
    """Though it has ``send`` and ``close``; the message shows where it goes."""
    with (
        kind() as session,
        pytest.raises(ConfigurationError, match=r"HTTPTransport\(base_url, session=session\)"),
    ):
        Buntime("key", transport=session)  # type: ignore[arg-type]  # the mistake of the test
