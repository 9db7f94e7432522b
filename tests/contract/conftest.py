"""A client over each transport in turn."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from buntime import Buntime, Session
from buntime.transport import Transport
from tests.contract.transports import EVERY, KEY, WORLDS, recording, replaying
from tests.support.serving import buntime_serve


@pytest.fixture(scope="session", autouse=True)
def served_url() -> Iterator[str]:
    """Run ``buntime serve`` on a real Bun, with a key; before a test looks at what it finds."""
    with buntime_serve("--api-key", KEY) as server:
        yield server.url


@pytest.fixture(scope="session")
def cassettes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of what the tests record."""
    return tmp_path_factory.mktemp("cassettes")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test over the worlds that its module names, all by default, unless it names some itself."""
    named = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")]
    if "world" in metafunc.fixturenames and not any(names.startswith("world") for names in named):
        metafunc.parametrize("world", getattr(metafunc.module, "OVER", EVERY), indirect=True)


@pytest.fixture
def world(request: pytest.FixtureRequest) -> str:
    """Return the name of the transport under test."""
    name: str = request.param
    return name


@pytest.fixture
def transport(
    world: str, served_url: str, cassettes: Path, request: pytest.FixtureRequest
) -> Iterator[Transport]:
    """Return the transport under test. A world that is replayed was recorded by the test before."""
    how, _, source = world.partition("_")
    test = f"{request.node.nodeid}".replace(world, source)
    path = cassettes / f"{hashlib.sha256(test.encode()).hexdigest()[:16]}.json"
    if how == "recorded":
        made = recording(source, served_url, path)
    elif how == "replayed":
        made = replaying(path)
    else:
        made = WORLDS[world](served_url)
    with made as transport:
        yield transport


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
