"""``Buntime(transport=requests.Session())`` failed at the first call with an ``AttributeError``.

The check for that then raised one itself while another thread imported requests for the first time.
"""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import requests

from buntime import Buntime, ConfigurationError
from buntime.transport import FakeTransport


@pytest.mark.parametrize("kind", [requests.Session, type("Cached", (requests.Session,), {})])
def test_a_session_is_not_a_transport(kind: type[requests.Session]) -> None:
    """A requests session has ``send`` and ``close``, but the error shows that it belongs to HTTPTransport."""
    with (
        kind() as session,
        pytest.raises(ConfigurationError, match=r"HTTPTransport\(base_url, session=session\)"),
    ):
        Buntime("key", transport=session)  # type: ignore[arg-type]  # the wrong type is what the test is about


def test_a_client_while_another_thread_imports_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module is there, and has no classes yet."""
    monkeypatch.setitem(sys.modules, "requests", ModuleType("requests"))
    with Buntime(transport=FakeTransport()) as client:
        assert {} == client.sessions.create().info().metadata
