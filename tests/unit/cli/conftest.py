"""The fake that the commands use."""

from __future__ import annotations

import pytest

from buntime.client import settings
from buntime.transport import FakeTransport


class _Shared:
    """A fake that the end of a client does not close."""

    def __init__(self, fake: FakeTransport) -> None:
        self.send, self.time, self.monotonic, self.sleep = fake.send, fake.time, fake.monotonic, fake.sleep

    def close(self) -> None:
        """Keep the fake."""


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTransport:
    """Return the fake that every command uses."""
    shared = FakeTransport()
    monkeypatch.setenv("BUNTIME_API_KEY", "btk_1")
    monkeypatch.setenv("RUNLOOP_API_KEY", "ak_1")
    monkeypatch.setattr(settings, "make_transport", lambda *_, **__: _Shared(shared))
    return shared
