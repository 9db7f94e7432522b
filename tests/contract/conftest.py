"""A client over each transport in turn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from buntime import Buntime, Session
from buntime.transport import Transport
from tests.contract.worlds import KEY, WORLDS
from tests.support.serving import buntime_serve


@pytest.fixture(scope="session", autouse=True)
def served_url() -> Iterator[str]:
    """Run ``buntime serve`` on a real Bun, with a key; before a test looks at what it finds."""
    with buntime_serve("--api-key", KEY) as server:
        yield server.url


@pytest.fixture(params=list(WORLDS))
def world(request: pytest.FixtureRequest) -> str:
    """Return the name of the transport under test."""
    name: str = request.param
    return name


@pytest.fixture
def transport(world: str, served_url: str) -> Iterator[Transport]:
    """Return the transport under test."""
    with WORLDS[world](served_url) as made:
        yield made


@pytest.fixture
def client(transport: Transport) -> Iterator[Buntime]:
    """Return a client over it that does not retry, so that a failure shows."""
    with Buntime(KEY, transport=transport, max_retries=0) as made:
        yield made


@pytest.fixture
def session(client: Buntime) -> Iterator[Session]:
    """Return a new session of that client."""
    with client.sessions.create(ttl=600) as made:
        yield made
