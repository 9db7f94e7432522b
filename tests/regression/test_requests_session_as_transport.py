"""``Buntime(transport=requests.Session())`` failed at the first call with an ``AttributeError``."""

from __future__ import annotations

import pytest
import requests

from buntime import Buntime, ConfigurationError


@pytest.mark.parametrize("kind", [requests.Session, type("Cached", (requests.Session,), {})])
def test_a_session_is_not_a_transport(kind: type[requests.Session]) -> None:
    """A requests session has ``send`` and ``close``, but the error shows that it belongs to HTTPTransport."""
    with (
        kind() as session,
        pytest.raises(ConfigurationError, match=r"HTTPTransport\(base_url, session=session\)"),
    ):
        Buntime("key", transport=session)  # type: ignore[arg-type]  # the wrong type is what the test is about
